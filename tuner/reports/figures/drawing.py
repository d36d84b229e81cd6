"""A figure with what to read beside it."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure, its file name without suffix, and what to read beside it."""

    name: str
    figure: Figure
    alternative: str
    caption: str

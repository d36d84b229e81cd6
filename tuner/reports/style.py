"""How figures look: one palette, thin lines, plain numbers on logarithmic axes."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogLocator, NullLocator

NOTEBOOK_DOTS_PER_INCH = 110

INK = "#1d2733"
MUTED = "#75818f"
FAINT = "#e4e8ed"
BLUE = "#2563a8"
AMBER = "#d07a1f"
RED = "#b5413a"
COLOURS = {
    INK: "ink",
    MUTED: "axis",
    FAINT: "grid",
    BLUE: "blue",
    AMBER: "mark",
    RED: "red",
    "#ffffff": "paper",
}
"""What a page calls them, which may show others in their place, as in the dark."""

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "tuner",
    "svg.fonttype": "none",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save in our style. Settings take effect when an artist is made, so wrap both."""
    with matplotlib.rc_context(SETTINGS):  # type: ignore[arg-type]  # it wants a literal with every key there is
        yield


class StyledFigure(Figure):
    """A figure that is always drawn in our style, and that a notebook shows though pyplot knows nothing of it.

    Attributes:
        said: What a page shows of each point of a line while the pointer is over it.
    """

    said: dict[Line2D, tuple[str, ...]]

    def draw(self, renderer: RendererBase) -> None:
        with house_style():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        png = BytesIO()
        self.savefig(png, format="png", dpi=NOTEBOOK_DOTS_PER_INCH)
        return png.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that no global state knows of."""
    figure = StyledFigure(figsize=(width, height), layout="constrained")
    figure.said = {}
    FigureCanvasAgg(figure)
    return figure


def say(line: Line2D, texts: Iterable[str]) -> None:
    """Have a page show a text for each point of a line while the pointer is over it."""
    figure = line.get_figure(root=True)
    if isinstance(figure, StyledFigure):
        figure.said[line] = tuple(texts)


def with_interval(value: float, low: float | None, high: float | None) -> str:
    """A number for a person, with its interval if it has one: `2.31 (1.9 to 2.7)`, `64 (40 or more)`."""
    if low is None or high is None:
        return f"{value:.3g}"
    return f"{value:.3g} ({low:.3g} to {high:.3g})" if math.isfinite(high) else f"{value:.3g} ({low:.3g} or more)"


def batch_size_axis(axes: Axes, batch_sizes: Sequence[int], *, label: bool = True) -> None:
    """A base-2 logarithmic x axis with a tick at each batch size."""
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(batch_sizes) / 1.5, max(batch_sizes) * 1.5)
    plain_ticks(axes.xaxis, FixedLocator(list(batch_sizes)))
    if label:
        axes.set_xlabel("batch size")


def log_axis(axes: Axes, label: str, limits: tuple[float, float]) -> None:
    """A base-10 logarithmic y axis with plain numbers, more of them if it spans little."""
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    decades_only = limits[1] / limits[0] > 3e3
    plain_ticks(axes.yaxis, LogLocator(base=10, subs=(1.0,) if decades_only else (1.0, 2.0, 5.0), numticks=20))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_ylabel(label)


def plain_ticks(axis: Axis, locator: Locator) -> None:
    """Plain numbers on an axis, and nothing between them."""
    axis.set_major_locator(locator)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(plain))


def plain(value: float, _position: float | None = None) -> str:
    """A number as people write it: `1,024`, `0.03`, `2e-05`."""
    if value >= 1:
        return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.3g}"
    return f"{value:.3g}"


def limits_around(values: Sequence[float]) -> tuple[float, float]:
    """Limits of a logarithmic axis that show these values with some air."""
    positive = [each for each in values if each > 0] or [1.0]
    return min(positive) / 1.5, max(positive) * 1.5

"""The comparison of stored experiments, as the command line and the Python API have it."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from tuner.analysis.comparison import MOST, Comparison, Contrast, compare
from tuner.errors import TunerError
from tuner.objective import Target
from tuner.reports.comparison.figures import drawings
from tuner.reports.comparison.wording import headline
from tuner.stores import Records, curves_in
from tuner.stores.opening import open_records

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class StoredComparison:
    """Experiments side by side, as the store held them.

    Attributes:
        found: What analysis makes of them.
    """

    found: Comparison

    @property
    def answer(self) -> str:
        """What differs between them beyond the intervals, in words."""
        return headline(self.found)

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """The ratio of every number to that of the first experiment, with its intervals and a verdict."""
        return self.found.contrasts

    @property
    def figures(self) -> Mapping[str, "Figure"]:
        """The figures of the page by name: `scaling`, `normalised` and `ratios`, or `best`. Drawn anew each time."""
        return {each.name: each.figure for each in drawings(self.found)}

    def to_json(self) -> dict[str, object]:
        """What `tuner compare --json` prints."""
        return self.found.to_json()

    def __repr__(self) -> str:
        return f"<comparison of {', '.join(self.found.names)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<p><b>{escape(', '.join(self.found.names))}</b>: {escape(self.answer)}</p>"


def compared_in(records: Records, names: Sequence[str], *, target: Target | None) -> Comparison:
    """Compare experiments of an open store.

    Raises:
        TunerError: One is named twice, they are fewer than two or too many, or cannot be compared.
        StoreError: One is not there, or cannot be read.
    """
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise TunerError(f"{twice} is named twice; name each experiment once")
    if not 2 <= len(names) <= MOST:
        raise TunerError(f"{len(names)} experiments cannot be compared; name 2 to {MOST}")
    return compare([(records.record(each), curves_in(records, each)) for each in names], target=target)


def stored_comparison(names: Sequence[str], store: str, *, target: Target | None) -> StoredComparison:
    """Compare experiments of the store at a URL.

    Raises:
        TunerError: As `compared_in`.
    """
    with closing(open_records(store)) as opened:
        return StoredComparison(compared_in(opened, names, target=target))

"""The section on the three regions of the scaling curve."""

import math

from tuner.analysis.optimum.intervals import PERCENT
from tuner.analysis.scaling.bounds import Bound
from tuner.analysis.scaling.regions import Regions
from tuner.reports.figures.drawing import Drawing
from tuner.reports.figures.regions import draw_regions
from tuner.reports.findings import Findings
from tuner.reports.rows import NOTHING, Table
from tuner.reports.sections.contract import Section

NOTES = (
    "Perfect scaling ends where the steps first exceed 1.41 times those of the line through the smallest batch size "
    "on which doublings halve the steps: half a doubling is lost there. Smaller batch sizes than those measured could "
    "only move the line, and with it this end, down. Maximal data parallelism begins at the batch size from which on "
    "the steps stay within 1.41 times the fewest measured, if that is so over a factor of four in batch size. It is "
    "the maximum useful batch size: larger ones save at most half a doubling more. Ends are interpolated between the "
    "batch sizes measured.",
)


def regions_section(found: Findings) -> Section | None:
    """How far a larger batch helps; None where the goal is no target, or fewer than two batch sizes reached it."""
    answer = found.regions
    if answer is None:
        return None
    drawing = Drawing(
        name="regions",
        figure=draw_regions(found.curve, answer),
        alternative="Steps to target, and examples relative to the smallest batch size, against batch size, with the "
        "regions of perfect scaling, diminishing returns and maximal data parallelism shaded",
        caption="Where larger batches help: steps to target with the range of the seeds (above), and the examples that "
        "they take relative to the smallest batch size (below). Perfect scaling follows the dashed lines.",
    )
    return Section(
        name="regions",
        question="How far does a larger batch help?",
        answer=" ".join((perfect_scaling_ends(answer), _useful(answer), _saved(answer))),
        drawings=(drawing,),
        tables=(_table(answer),),
        notes=(*NOTES, _certainty(found.curve.why_no_interval)),
        values=answer.to_json(),
    )


def perfect_scaling_ends(found: Regions) -> str:
    """Where perfect scaling ends, in a sentence."""
    if not found.perfect_end.is_known:
        low = found.perfect_end.low
        doubt = "" if low is None or math.isinf(low) else f"; the seeds allow that it ends from {low:,.0f} on"
        return f"Scaling is perfect up to the largest batch size measured, {found.largest:,}{doubt}."
    if found.is_never_perfect:
        return f"There is no perfect scaling: the steps hardly fall from batch size {found.smallest:,} on."
    where = f"{found.perfect_phrase}{_interval(found.perfect_end, found)}"
    return f"Perfect scaling ends at about batch size {where}."


def _certainty(why_no_interval: str) -> str:
    """What intervals hold, or why there are none."""
    if why_no_interval:
        return f"Steps: {why_no_interval}."
    return "Intervals are over seeds drawn again. They say nothing of how well each search found its optimum."


def _useful(found: Regions) -> str:
    """Where maximal data parallelism begins."""
    if not found.maximum_useful.is_known:
        return f"A maximum useful batch size was not found: larger batches than {found.largest:,} may save steps."
    where = f"{_size(found.maximum_useful.value, found)}{_interval(found.maximum_useful, found)}"
    return f"The maximum useful batch size is about {where}: beyond it at most half a doubling is saved."


def _saved(found: Regions) -> str:
    """What the largest batch size saves."""
    last = found.savings[-1]
    steps, examples = (_times(each) for each in (last.fewer, last.examples))
    return (
        f"Batch size {last.batch_size:,} takes {steps} times fewer steps than {found.smallest:,} "
        f"(perfect scaling: {_times(Bound(last.factor))}), and {examples} times the examples."
    )


def _table(found: Regions) -> Table:
    """What each batch size saves."""
    interval = f"{PERCENT} interval"
    heads = ("batch size", "steps", "times fewer steps", interval, "if perfect", "times the examples", interval)
    rows = tuple(
        (
            f"{each.batch_size:,}",
            f"{each.steps:,.0f}",
            _times(each.fewer),
            _ends(each.fewer),
            _times(Bound(each.factor)),
            _times(each.examples),
            _ends(each.examples),
        )
        for each in found.savings
    )
    return Table(heads, rows)


def _times(bound: Bound) -> str:
    return f"{bound.value:,.0f}" if bound.value >= 100 else f"{bound.value:.3g}"


def _ends(bound: Bound) -> str:
    """The interval of a factor, for a cell."""
    if bound.low is None or bound.high is None:
        return NOTHING
    return " to ".join("any number" if math.isinf(each) else _times(Bound(each)) for each in (bound.low, bound.high))


def _size(size: float, found: Regions) -> str:
    """A batch size that need not be whole, or lies beyond what was measured."""
    return f"{size:,.0f}" if math.isfinite(size) else f"beyond {found.largest:,}"


def _interval(bound: Bound, found: Regions) -> str:
    """The interval of an end, within a sentence; nothing where there is none, or it says no more."""
    if bound.low is None or bound.high is None or math.isinf(bound.low):
        return ""
    low, high = (_size(each, found) for each in (bound.low, bound.high))
    return f" ({PERCENT} interval over seeds {low} to {high})"

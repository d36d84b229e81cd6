"""What a reader could take for more than it is, the most urgent first."""

from collections.abc import Iterator, Sequence

from tuner.analysis.optimum.intervals import EXACT
from tuner.analysis.scaling.curve import ScalingFit
from tuner.analysis.summary import StudyResults
from tuner.reports.findings import Findings
from tuner.reports.overview.space import edges_summary, outside_of
from tuner.reports.sections.contract import Item, Section


def cautions(found: Findings) -> tuple[Item, ...]:
    """All of them; there is at least one."""
    return (*(Item(each, urgent=True) for each in _urgent(found)), *(Item(each) for each in _always(found)))


def careful(found: Findings) -> Section:
    """The section that lists them."""
    items = cautions(found)
    urgent = sum(each.urgent for each in items)
    return Section(
        name="cautions",
        question="What to be careful about?",
        answer=f"{urgent} of these points {'asks' if urgent == 1 else 'ask'} for something to be done."
        if urgent
        else "Nothing asks for something to be done. This is what limits the numbers above.",
        items=items,
        values={"cautions": [{"sentence": each.sentence, "urgent": each.urgent} for each in items]},
    )


def _urgent(found: Findings) -> Iterator[str]:
    """What should be seen to before the numbers are used."""
    studies, unit = found.results.studies, found.experiment.goal.unit
    yield from (f"Left out: {each}." for each in found.results.damaged)
    censored = [study for study in studies if study.complete and study.confirmed is None]
    yield from (f"Batch size {each.batch_size:,}: {each.unreached.sentence}" for each in studies if each.unreached)
    if censored:
        yield (
            f"Nothing {unit.success} within {found.experiment.goal.budget} at batch size {_sizes(censored)}: "
            f"{unit.in_vain}."
        )
    if outside_of(studies):
        yield edges_summary(found.results)
    yield from (each.sentence for each in found.results.doubts)
    partly = [each for each in studies if each.confirmed and each.confirmed.reached < each.confirmed.seeds]
    if partly:
        yield (
            f"At batch size {_sizes(partly)} not every reporting seed {unit.success}. "
            "Seeds that did not count as infinite in medians and spreads."
        )


def _always(found: Findings) -> Iterator[str]:
    """What limits every experiment."""
    if found.curve.is_exact:
        yield f"Results are {EXACT}. How far other searches would move them is not known."
    elif isinstance(found.fit, ScalingFit) and found.fit.low is None:
        yield (
            f"Critical batch size: {found.curve.why_no_interval or 'no interval'}. How far other seeds or other "
            "searches would move it is not known."
        )
    elif isinstance(found.fit, ScalingFit):
        yield (
            "The interval of the critical batch size covers the spread over training seeds, and not how well each "
            "search found its optimum."
        )
    bias = found.results.selection_bias
    if bias is not None:
        yield (
            "The best search trial is the least of many noisy numbers and looks better than it is: "
            f"{found.experiment.goal.unit.bias(bias.ratio)} when confirmed (geometric mean). Compare confirmed medians."
        )
    if found.experiment.objective.get("deterministic") is False:
        yield (
            "Kernels that add in any order were allowed (objective.deterministic = false): on a GPU, two runs of the "
            "same trial may differ."
        )
    yield found.experiment.goal.unit.caution


def _sizes(studies: Sequence[StudyResults]) -> str:
    return ", ".join(f"{each.batch_size:,}" for each in studies)

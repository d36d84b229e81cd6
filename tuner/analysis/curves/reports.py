"""The curves of the trials that report winners, and where a metric crosses a level on them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tuner.analysis.optimum import confirmation
from tuner.experiment.goals.divergence import EXAMPLES, TRAIN_LOSS
from tuner.objective import Target
from tuner.records import Curve, CurvesOf, ExperimentRecord, Role, StudyRecord, TrialRecord, Wanted, some_curves
from tuner.trial import Value

REPORTS = Wanted(roles=frozenset({Role.REPORT}))


@dataclass(frozen=True, slots=True)
class Reports:
    """The winner of a study and the curves of the seeds that report it, by seed."""

    batch_size: int
    hyperparameters: dict[str, Value]
    trials: tuple[TrialRecord, ...]
    curves: tuple[Curve, ...]


def reports(record: ExperimentRecord, curves: CurvesOf) -> tuple[Reports, ...]:
    """Of each study with a winner, smallest batch size first; studies whose curves cannot be read are left out."""
    found = [_reports(each, record, curves) for each in record.studies]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: each.batch_size))


def _reports(study: StudyRecord, record: ExperimentRecord, curves: CurvesOf) -> Reports | None:
    settings = record.experiment.confirmation
    winner = confirmation.confirm(study, settings)
    if winner is None:
        return None
    trials = confirmation.reports(study, settings)
    read = some_curves(curves, study.batch_size, trials[0].round, REPORTS)
    if not all(each.number in read for each in trials):
        return None
    own = tuple(read[each.number] for each in trials)
    return Reports(study.batch_size, dict(winner.hyperparameters), trials, own)


class Level(NamedTuple):
    """A value of a metric along a curve.

    Attributes:
        is_whole: Whether it was measured over the whole split, and not estimated from a part or from minibatches.
    """

    step: int
    value: float
    is_whole: bool


def levels(curve: Curve, metric: str, batch_size: int) -> tuple[Level, ...]:
    """The finite values of a metric along a curve.

    A training loss is that of the minibatches between two measurements. At small batch sizes these are too few to
    mean anything, so each value is the mean over at least the last `EXAMPLES` examples, or all so far.
    """
    told = [each for each in curve if math.isfinite(each.metrics.get(metric, math.nan))]
    if metric == TRAIN_LOSS:
        return tuple(_smoothed([(each.step, each.metrics[metric]) for each in told], EXAMPLES / batch_size))
    return tuple(Level(each.step, each.metrics[metric], metric not in each.partial) for each in told)


def _smoothed(losses: Sequence[tuple[int, float]], steps: float) -> Iterator[Level]:
    """Means over at least so many last steps, of losses that are means since the value before."""
    before = [0, *(step for step, _ in losses)]
    start = 0
    for end, (step, _) in enumerate(losses):
        while step - before[start + 1] >= steps:
            start += 1
        window = range(start, end + 1)
        total = math.fsum((before[each + 1] - before[each]) * losses[each][1] for each in window)
        yield Level(step, total / (step - before[start]), is_whole=False)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a metric passes a target.

    Attributes:
        steps: Infinite if it never does.
        is_exact: Whether it is the first step at which a measurement over the whole split passes it.
    """

    steps: float
    is_exact: bool


def crossing(values: Sequence[Level], target: Target, *, is_judged: bool, is_sparse: bool) -> Crossing:
    """The first step at which a value passes a target.

    Args:
        values: Along a curve.
        target: To be passed.
        is_judged: Whether measurements ended early for this target only where it was certainly not met, so that
            estimates do not count.
        is_sparse: Whether the metric was measured at few steps only; the crossing is then interpolated between two of
            them, on logarithmic axes.
    """
    before, all_whole = None, True
    for each in values:
        all_whole = all_whole and each.is_whole
        if target.is_met(each.value) and (each.is_whole or not is_judged):
            steps = _between(before, each, target) if is_sparse and before is not None else each.step
            return Crossing(steps, is_judged or (not is_sparse and all_whole))
        before = each
    return Crossing(math.inf, is_judged or all_whole)


def _between(before: Level, after: Level, target: Target) -> float:
    """The step between two values at which the target is met, if the metric's distance falls as a power of the step."""
    start, end, level = (
        math.log(max(target.distance(each), 1e-300)) for each in (before.value, after.value, target.value)
    )
    share = 1.0 if start <= end else min(max((start - level) / (start - end), 0.0), 1.0)
    return math.exp(math.log(before.step) + share * (math.log(after.step) - math.log(before.step)))

"""Learning curves of the tuned optima: the goal's metric along training, the median over the seeds that report it."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tuner.analysis.optimum.confirmation import reports
from tuner.experiment import Experiment
from tuner.experiment.goals import Goal
from tuner.records import CurvesOf, ExperimentRecord, Role, StudyRecord, Wanted, some_curves
from tuner.trial import Measurement


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """How the goal's metric falls at the optimum of a batch size.

    Attributes:
        steps: Where a seed was measured, from the first step that all were measured by; ends where half of the seeds
            have reached the target, or where all have ended.
        middle: The median over seeds at each of these steps; of an even number the worse of two. A seed that has
            reached the target keeps its last value.
        best, worst: The best and the worst of the seeds there.
        are_whole: Whether all seeds were measured over the whole validation set at each of these steps; elsewhere some
            values are estimates from a part of it.
        seeds: How many there are.
    """

    batch_size: int
    steps: tuple[int, ...]
    middle: tuple[float, ...]
    best: tuple[float, ...]
    worst: tuple[float, ...]
    are_whole: tuple[bool, ...]
    seeds: int


def learning_curves(record: ExperimentRecord, curves: CurvesOf) -> tuple[LearningCurve, ...]:
    """The curve of each confirmed optimum, the smallest batch size first; those whose curves are not at hand left out.

    Args:
        record: The experiment.
        curves: Reads its curves.
    """
    found = (_of_study(each, record.experiment, curves) for each in record.studies)
    return tuple(each for each in found if each is not None)


def _of_study(study: StudyRecord, experiment: Experiment, curves: CurvesOf) -> LearningCurve | None:
    """The curve of a study's winner; None if there is none, or nothing is known of its seeds."""
    trials, metric = reports(study, experiment.confirmation), experiment.goal.metric
    if not trials:
        return None
    wanted = Wanted(frozenset({Role.REPORT}), frozenset({metric}))
    read = some_curves(curves, study.batch_size, trials[0].round, wanted)
    measured = [[one for one in read.get(each.number, ()) if metric in one.metrics] for each in trials]
    seeds = [each for each in measured if each]
    if not seeds:
        return None
    half = sorted(each.score for each in trials)[len(trials) // 2]
    until = half if experiment.goal.unit.counts_steps else math.inf
    return _learning_curve(study.batch_size, seeds, experiment, until=until)


def _learning_curve(
    batch_size: int, seeds: Sequence[Sequence[Measurement]], experiment: Experiment, *, until: float
) -> LearningCurve:
    """The median and the range over seeds, at every step at which one was measured."""
    goal = experiment.goal.at(batch_size)
    first = max(each[0].step for each in seeds)
    steps = sorted({one.step for each in seeds for one in each if first <= one.step <= until} | {first})
    last = [[_last(each, step) for each in seeds] for step in steps]
    rows = [sorted((one.metrics[goal.metric] for one in each), key=partial(_rank, goal)) for each in last]
    middle, best, worst = (tuple(each[index] for each in rows) for index in (len(seeds) // 2, 0, -1))
    whole = tuple(all(goal.metric not in one.partial for one in each) for each in last)
    return LearningCurve(batch_size, tuple(steps), middle, best, worst, whole, len(seeds))


def _last(measured: Sequence[Measurement], step: int) -> Measurement:
    """The last measurement at a step."""
    return measured[bisect_right(measured, step, key=lambda each: each.step) - 1]


def _rank(goal: Goal, value: float) -> float:
    """How far a value is from the ideal; what is no finite number is worst, whichever direction is good."""
    return goal.distance(value) if math.isfinite(value) else math.inf

"""The best value of the goal's metric within fixed budgets, in steps and in examples, from the stored curves.

At a fixed number of steps large batches win: a step with more examples is no worse. At a fixed number of examples, that
is of epochs, small batches win: they take more steps (Shallue et al. 2019, arXiv 1811.03600, section 4.7). Both are
right, and answer different questions: the first that of somebody whose hardware takes a large step as fast as a small
one, the second that of somebody who pays for every example.

Each budget is answered twice, because neither answer is free of bias:

- *searched*: the best over the search trials of the study, which tunes for this budget. It is too good: of many noisy
  trials the best was lucky, at every batch size alike.
- *reported*: the median over the seeds that report the study's winner. It is free of that luck, but too bad: the winner
  was chosen for the experiment's own goal, and for another budget another point is better.

What is tuned for a budget and measured on fresh seeds lies between. Conclusions need both to agree.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

import numpy as np

from tuner.analysis.curves.reports import Level, levels, reports
from tuner.analysis.curves.searches import searches
from tuner.analysis.optimum.confirmation import confirm
from tuner.analysis.optimum.intervals import LEAST_SEEDS, median_interval
from tuner.analysis.scaling.bounds import Bound
from tuner.analysis.scaling.curve import scaling_curve
from tuner.experiment import Experiment, GoalSettings
from tuner.records import CurvesOf, ExperimentRecord
from tuner.trial import Outcome

FINEST = 1.05
"""A trial covers a budget if its last measurement is at most this factor before it: measurements are 3 % apart."""
TARGET_BUDGETS, BEST_BUDGETS = 5, 4
"""How many budgets of each kind are asked about, if the goal is a target or a best value."""

Lines = Mapping[int, Sequence[Sequence[Level]]]
"""The values of the metric along curves, by batch size."""


class Kind(StrEnum):
    """What a budget counts."""

    STEPS = "steps"
    EXAMPLES = "examples"

    def steps(self, budget: int, batch_size: int) -> int:
        """The whole steps within a budget."""
        return budget if self is Kind.STEPS else budget // batch_size


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """How far the metric got at a batch size. Scores are distances from the ideal, and no less than the target's.

    Attributes:
        searched: The score of the best search trial; None if no trial was trained for so long.
        reported: The median score of the reporting seeds; None if not all were trained for so long. It has an interval
            if they are `LEAST_SEEDS`, and an exact one is its own interval.
    """

    batch_size: int
    searched: float | None
    reported: Bound | None


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget at every batch size."""

    kind: Kind
    budget: int
    points: tuple[BudgetPoint, ...]

    @property
    def verdict(self) -> int:
        """Whether the largest batch size is better than the smallest (1) or worse (-1); 0 if that is not certain.

        Certain is what the search trials and the reporting seeds agree on, the latter with intervals that do not meet.
        """
        known = [each for each in self.points if each.searched is not None and each.reported is not None]
        if len(known) < 2:
            return 0
        small, large = known[0], known[-1]
        assert small.searched is not None and large.searched is not None  # noqa: PT018
        assert small.reported is not None and large.reported is not None  # noqa: PT018
        if large.searched < small.searched and _is_below(large.reported, small.reported):
            return 1
        return -1 if large.searched > small.searched and _is_below(small.reported, large.reported) else 0


def _is_below(one: Bound, other: Bound) -> bool:
    """Whether an interval lies below another; not if there are too few seeds for both."""
    return one.high is not None and other.low is not None and one.high < other.low


@dataclass(frozen=True, slots=True)
class FixedBudgets:
    """The answers to several budgets of both kinds, the smallest budget first.

    Attributes:
        metric: The goal's metric.
        distance: Of a value from the ideal: what scores are.
        value: The value of a score.
        best: The best score that is told apart: that of the target; 0 if the goal is a best value.
        train_examples: The size of an epoch; None if the record does not say.
        estimated: Whether some values rest on a part of the validation set.
    """

    metric: str
    value: Callable[[float], float]
    best: float
    lines: tuple[BudgetLine, ...]
    train_examples: int | None = None
    estimated: bool = False

    def of(self, kind: Kind) -> tuple[BudgetLine, ...]:
        """The budgets of a kind."""
        return tuple(each for each in self.lines if each.kind is kind)

    def to_json(self) -> dict[str, object]:
        """The answers as JSON; null stands for what no trial was trained for."""
        return {
            "metric": self.metric,
            "estimated": self.estimated,
            **{kind.value: [self._line(each) for each in self.of(kind)] for kind in Kind},
        }

    def _line(self, line: BudgetLine) -> dict[str, object]:
        return {"budget": line.budget, "verdict": line.verdict, "points": [self._point(each) for each in line.points]}

    def _point(self, point: BudgetPoint) -> dict[str, object]:
        known = point.reported
        ends = (
            None if known is None else sorted(self.value(each) for each in (known.low, known.high) if each is not None)
        )
        return {
            "batch_size": point.batch_size,
            "searched": None if point.searched is None else self.value(point.searched),
            "reported": None if known is None else self.value(known.value),
            "interval": ends or None,
            "reached": point.searched is not None and point.searched <= self.best,
        }


def fixed_budgets(record: ExperimentRecord, curves: CurvesOf) -> FixedBudgets | None:
    """The best values within several step budgets and example budgets; None without curves of two studies.

    Args:
        record: The experiment. Its goal may be a target or a best value.
        curves: Reads its curves: those of reporting trials, and the goal's metric of search trials.
    """
    goal = record.experiment.goal
    searched = {size: [each.values for each in found] for size, found in searches(record, curves).items() if found}
    reported = {
        each.batch_size: [levels(curve, goal.metric, each.batch_size) for curve in each.curves]
        for each in reports(record, curves)
        if all(trial.end is not None and trial.end.outcome is not Outcome.INFEASIBLE for trial in each.trials)
    }
    if len(searched) < 2:
        return None
    scale = _Scale(goal, is_exact=scaling_curve(record).is_exact)
    lines = [
        BudgetLine(
            kind, budget, tuple(scale.point(kind, budget, size, searched, reported) for size in sorted(searched))
        )
        for kind in Kind
        for budget in _budgets(kind, record)
    ]
    told = [one for each in (*searched.values(), *reported.values()) for values in each for one in values]
    return FixedBudgets(
        goal.metric,
        scale.value,
        scale.best,
        tuple(each for each in lines if sum(point.searched is not None for point in each.points) > 1),
        goal.train_examples,
        estimated=not all(each.is_whole for each in told),
    )


def _reported(scores: Sequence[float], *, is_exact: bool) -> Bound:
    """The median over seeds with its interval, which needs `LEAST_SEEDS` if seeds differ."""
    if is_exact:
        return Bound(median(scores), median(scores), median(scores))
    if len(scores) < LEAST_SEEDS:
        return Bound(median(scores))
    interval = median_interval(scores)
    return Bound(median(scores), interval.low, interval.high)


class _Scale:
    """Distances of the goal's metric from its ideal."""

    def __init__(self, goal: GoalSettings, *, is_exact: bool) -> None:
        self.goal, self._is_exact = goal, is_exact
        self._judge = goal.unit.goal(1, 1)
        self.best = goal.target.distance(goal.target.value) if goal.unit.counts_steps else 0.0

    def value(self, score: float) -> float:
        """The metric's value at a distance from its ideal."""
        if not self.goal.unit.counts_steps:
            return self.goal.unit.value(score)
        target = self.goal.target
        if not target.above:
            return score
        return 1 - score if target.value < 1 else 1 / score

    def point(self, kind: Kind, budget: int, batch_size: int, searched: Lines, reported: Lines) -> BudgetPoint:
        """How far the metric got within a budget."""
        steps = kind.steps(budget, batch_size)
        found = [self._within(each, steps) for each in searched[batch_size]]
        covering = any(covers for _, covers in found)
        seeds = [self._within(each, steps) for each in reported.get(batch_size, ())]
        scores = [score for score, covers in seeds if covers and math.isfinite(score)]
        best = min((score for score, _ in found), default=math.inf)
        return BudgetPoint(
            batch_size,
            best if covering and math.isfinite(best) else None,
            _reported(scores, is_exact=self._is_exact) if scores and len(scores) == len(seeds) else None,
        )

    def _within(self, values: Sequence[Level], steps: int) -> tuple[float, bool]:
        """The best score within so many steps, and whether it can get no better by more training within them."""
        scores = [self._judge.distance(each.value) for each in values if each.step <= steps]
        reached = self.goal.unit.counts_steps and bool(values) and self._is_met(values[-1]) and values[-1].step <= steps
        # A value that equals the target has not passed it.
        best = max(min(scores, default=math.inf), self.best if reached else math.nextafter(self.best, math.inf))
        return best, reached or (bool(values) and values[-1].step * FINEST >= steps)

    def _is_met(self, level: Level) -> bool:
        return level.is_whole and self.goal.target.is_met(level.value)


def _budgets(kind: Kind, record: ExperimentRecord) -> list[int]:
    """Which budgets of a kind are asked about.

    With a target, those of which some batch sizes need more to reach it; else the own budget and less.
    """
    experiment = record.experiment
    if experiment.goal.unit.counts_steps:
        confirmed = {each.batch_size: confirm(each, experiment.confirmation) for each in record.studies}
        spent = [
            each.score * (1 if kind is Kind.STEPS else size)
            for size, each in confirmed.items()
            if each is not None and math.isfinite(each.score)
        ]
        low, high = (min(spent) / 4, max(spent) / 2) if spent else (0.0, 0.0)
        return _rounded(low, high, TARGET_BUDGETS)
    own = min(_own(kind, size, experiment) for size in experiment.batch_sizes)
    return [*_rounded(own / 8, own / 2, BEST_BUDGETS - 1), own]


def _own(kind: Kind, batch_size: int, experiment: Experiment) -> int:
    """The budget of a trial."""
    steps = experiment.goal.at(batch_size).within_steps
    return steps if kind is Kind.STEPS else steps * batch_size


def _rounded(low: float, high: float, many: int) -> list[int]:
    """Whole numbers of two digits, evenly spread on a logarithmic scale."""
    if high < 1:
        return []
    spread = np.geomspace(max(low, 1.0), high, many)
    return sorted({round(float(f"{each:.2g}")) for each in spread})

"""Whether conclusions hang on the target and the metric: scaling curves for others, from the stored curves.

Shallue et al. 2019 (arXiv 1811.03600, section 4) find that another goal shifts the curve but hardly changes its shape.
Here the shape is the critical batch size, and its *move* is what another choice multiplies it by.

A **weaker target** is tuned for again: at each batch size the search trial that passes it first. These steps are a
little too few, since the fastest of many noisy trials is lucky. The goal's own search trials are as lucky, and moves
compare the two. A search trial has one seed, so its noise is taken from the trials that report the winner: how far they
lie from their median, at this target.

**Another metric** is read from the trials that report the winners only, since search trials have not measured all
metrics. The winners were chosen for the goal. Moves compare the same trials, on the same resampled seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.curves.alternatives import Lines, does_rise, hardest_target, other_metrics, weaker_targets
from tuner.analysis.curves.reports import Crossing, Reports, crossing, levels, reports
from tuner.analysis.curves.searches import Searched, searches
from tuner.analysis.models import hyperbolas
from tuner.analysis.optimum.intervals import CONFIDENCE, EXACT, LEAST_SEEDS, RESAMPLES, middle
from tuner.analysis.scaling.bounds import Bound
from tuner.analysis.scaling.curve import (
    LEAST_POINTS,
    ScalingCurve,
    ScalingPoint,
    redrawn_medians,
    scaling_curve,
)
from tuner.experiment import GoalSettings
from tuner.objective import Target
from tuner.records import CurvesOf, ExperimentRecord

Array = NDArray[np.float64]

MATERIAL = 1.1
"""Smaller moves than this factor change no conclusion, however certain they are."""
SPARSE = 0.5
"""A metric that is measured at less than this share of a curve's measurements is interpolated."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A metric and a target that batch sizes might have been compared by.

    Attributes:
        is_tuned: Whether the points were chosen for it, among the search trials; else they are the goal's winners.
        curve: Steps to this target at each batch size.
        trials, estimated: How many trials the curve rests on, and how many of them pass the target by an estimate: from
            a part of the examples, from minibatches, or interpolated between measurements that lie far apart.
        critical: The critical batch size; None without a fit.
        move: The critical batch size over that for the experiment's own goal; the intervals of all choices hold
            together with `CONFIDENCE`. None of the goal, without a fit, or if both lie beyond what was measured.
    """

    metric: str
    target: Target
    is_tuned: bool
    curve: ScalingCurve
    trials: int
    estimated: int
    critical: Bound | None = None
    move: Bound | None = None

    @property
    def phrase(self) -> str:
        """The choice in short: `test/error < 0.05`."""
        return f"{self.metric} {self.target.symbol}"

    @property
    def is_extrapolated(self) -> bool:
        """Whether the critical batch size lies beyond what was measured."""
        return self.critical is not None and self.critical.value > self.curve.points[-1].batch_size

    @property
    def is_other(self) -> bool:
        """Whether the critical batch size is another: its move is beyond its interval, and larger than `MATERIAL`."""
        if self.move is None or self.move.low is None or self.move.high is None:
            return False
        is_certain = not self.move.low <= 1 <= self.move.high
        return is_certain and abs(math.log(self.move.value)) > math.log(MATERIAL)

    def to_json(self) -> dict[str, object]:
        """One entry of `choices`."""
        return {
            "metric": self.metric,
            "above" if self.target.above else "below": self.target.value,
            "tuned_for_it": self.is_tuned,
            "trials": self.trials,
            "estimated": self.estimated,
            "steps": {str(each.batch_size): each.score for each in self.curve.reached()},
            "critical_batch_size": None if self.critical is None else self.critical.to_json(),
            "move": None if self.move is None else self.move.to_json(),
            "is_other": self.is_other,
        }


@dataclass(frozen=True, slots=True)
class Choices:
    """What other choices would have found.

    Attributes:
        own: The experiment's goal, by the trials that report its winners.
        own_tuned: The same by its search trials, with which weaker targets are compared.
        others: Weaker targets, the weakest last, and then other metrics.
        why_no_interval: Within a sentence; empty if moves have intervals over seeds. An exact move is its own interval.
    """

    own: Choice
    own_tuned: Choice
    others: tuple[Choice, ...]
    why_no_interval: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether every seed measures the same."""
        return self.why_no_interval == EXACT

    @property
    def every(self) -> tuple[Choice, ...]:
        """All of them, the goal's own first."""
        return (self.own, self.own_tuned, *self.others)

    @property
    def moved(self) -> tuple[Choice, ...]:
        """The choices on which the critical batch size hangs."""
        return tuple(each for each in self.others if each.is_other)

    def to_json(self) -> dict[str, object]:
        """The choices as JSON."""
        return {"choices": [each.to_json() for each in self.every]}


def choices(record: ExperimentRecord, curves: CurvesOf, *, seed: int = 0) -> Choices | None:
    """Other targets and metrics than the experiment's own; None without curves of enough winners, or without a target.

    Args:
        record: The experiment.
        curves: Reads its curves: all metrics of reporting trials, the goal's of search trials.
        seed: Of the resampling of seeds.
    """
    goal = record.experiment.goal
    if not goal.unit.counts_steps:
        return None
    lines = [_Lines(each, goal.metric) for each in reports(record, curves)]
    lines = [each for each in lines if math.isfinite(each.point(goal.metric, goal.target, is_judged=True).score)]
    if len(lines) < LEAST_POINTS:
        return None
    found = searches(record, curves)
    asked = _Asked(goal, lines, [found[each.found.batch_size] for each in lines], seed)
    own, draws = asked.reported(goal.metric, goal.target)
    own_tuned, tuned_draws = asked.tuned(goal.target)
    firsts = [median(own[0].value for own in each.values[goal.metric] if own) for each in lines]
    others = [(*asked.tuned(each), own_tuned, tuned_draws) for each in weaker_targets(goal, firsts)]
    for name in other_metrics([each.values for each in lines], goal.metric):
        measured = [line for each in lines for line in each.values[name]]
        target = hardest_target(measured, rises=does_rise(name, goal, measured))
        others += [] if target is None else [(*asked.reported(name, target), own, draws)]
    confidence = 1 - (1 - CONFIDENCE) / max(len(others), 1)
    curve = scaling_curve(record)
    moved = [_with_move(*each, confidence=confidence) for each in others]
    if curve.is_exact:
        moved = [_with_exact_move(each) for each in moved]
    return Choices(own, own_tuned, tuple(moved), curve.why_no_interval) if moved else None


class _Lines:
    """The values of each metric along the curves of one winner's reporting trials."""

    def __init__(self, found: Reports, goal_metric: str) -> None:
        self.found = found
        names = {name for curve in found.curves for each in curve for name in each.metrics}
        self.values: dict[str, Lines] = {
            name: [levels(each, name, found.batch_size) for each in found.curves] for name in {*names, goal_metric}
        }

    def crossings(self, metric: str, target: Target, *, is_judged: bool) -> list[Crossing]:
        """Where each trial passes a target."""
        return [
            crossing(own, target, is_judged=is_judged, is_sparse=len(own) < SPARSE * len(curve))
            for own, curve in zip(self.values[metric], self.found.curves, strict=True)
        ]

    def point(self, metric: str, target: Target, *, is_judged: bool) -> ScalingPoint:
        """The median steps to a target."""
        seeds = tuple(each.steps for each in self.crossings(metric, target, is_judged=is_judged))
        return ScalingPoint(self.found.batch_size, median(seeds), seeds, self.found.hyperparameters)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The trials that are asked, and how."""

    goal: GoalSettings
    lines: Sequence[_Lines]
    searched: Sequence[Sequence[Searched]]
    seed: int

    def reported(self, metric: str, target: Target) -> tuple[Choice, Array]:
        """Steps to a target by the trials that report the winners, and critical batch sizes of resamples."""
        judged = self._is_judged(metric, target)
        points = tuple(each.point(metric, target, is_judged=judged) for each in self.lines)
        found = [one for each in self.lines for one in each.crossings(metric, target, is_judged=judged)]
        estimated = sum(not each.is_exact and math.isfinite(each.steps) for each in found)
        choice = Choice(metric, target, False, ScalingCurve(points), len(found), estimated)
        drawn = redrawn_medians(points, np.random.default_rng(self.seed))
        return _fitted(choice, drawn if all(map(_has_seeds, points)) else np.full_like(drawn, np.inf))

    def tuned(self, target: Target) -> tuple[Choice, Array]:
        """Steps to a target by the search trials that pass it first, and critical batch sizes with noise of seeds."""
        judged = self._is_judged(self.goal.metric, target)
        points, drawn, estimated = [], [], 0
        for line, trials in zip(self.lines, self.searched, strict=True):
            passed = [(crossing(each.values, target, is_judged=judged, is_sparse=False), each.trial) for each in trials]
            best, trial = min(passed, key=lambda each: each[0].steps, default=(Crossing(math.inf, True), None))
            if trial is None or math.isinf(best.steps):
                points.append(ScalingPoint(line.found.batch_size, math.inf, (), {}))
                drawn.append(np.full(RESAMPLES, math.inf))
                continue
            estimated += not best.is_exact
            points.append(ScalingPoint(line.found.batch_size, best.steps, (), trial.plan.hyperparameters))
            seeds = line.point(self.goal.metric, target, is_judged=judged)
            noise = np.array(seeds.per_seed) / seeds.score if _has_seeds(seeds) else np.full(1, np.inf)
            # The same trial has the same seed for every target.
            generator = np.random.default_rng([self.seed, line.found.batch_size, trial.round, trial.number])
            drawn.append(best.steps * noise[generator.integers(len(noise), size=RESAMPLES)])
        choice = Choice(self.goal.metric, target, True, ScalingCurve(tuple(points)), len(points), estimated)
        return _fitted(choice, np.column_stack(drawn))

    def _is_judged(self, metric: str, target: Target) -> bool:
        """Whether trials were judged by this target."""
        return metric == self.goal.metric and target in self.goal.targets


def _has_seeds(point: ScalingPoint) -> bool:
    """Whether its seeds tell how far others would be."""
    return len(point.per_seed) >= LEAST_SEEDS and math.isfinite(point.score)


def _fitted(choice: Choice, drawn: Array) -> tuple[Choice, Array]:
    """A choice with its critical batch size, and that of each resample, not a number where it has none.

    Args:
        choice: Without.
        drawn: Steps at each batch size, [resample, point].
    """
    steps = np.array([each.score for each in choice.curve.points])
    every = np.vstack([steps, drawn])
    enough = np.isfinite(every).sum(axis=1) >= LEAST_POINTS
    found = np.full(len(every), np.nan)
    if not enough[0]:
        return choice, found[1:]
    sizes = np.array([each.batch_size for each in choice.curve.points], dtype=np.float64)
    found[enough] = hyperbolas.fit(sizes, every[enough]).critical_batch_size
    return replace(choice, critical=_bound(found[0], found[1:], CONFIDENCE)), found[1:]


def _with_move(choice: Choice, draws: Array, own: Choice, own_draws: Array, *, confidence: float) -> Choice:
    """A choice with its move from the goal's own curve of the same kind."""
    if choice.critical is None or own.critical is None or (choice.is_extrapolated and own.is_extrapolated):
        return choice
    return replace(choice, move=_bound(choice.critical.value / own.critical.value, draws / own_draws, confidence))


def _with_exact_move(choice: Choice) -> Choice:
    """A choice whose move is its own interval."""
    move = choice.move
    return choice if move is None else replace(choice, move=Bound(move.value, move.value, move.value))


def _bound(value: float, drawn: Array, confidence: float) -> Bound:
    known = drawn[np.isfinite(drawn)]
    return Bound(float(value), *middle(known, confidence)) if len(known) else Bound(float(value))

"""The probability that an optimum lies outside the box: for each side of each range, from the trials of a search.

The response surface says in what share of its draws widening a side by a decade would save more than `WORTHWHILE`,
every other parameter free. Two plain signs correct it, because the surface is only a model: how far from the side the
best few trials lie, and whether a trial away from it rivals the best. The three are weighed by a logistic regression.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.models import surface
from tuner.analysis.models.surface import Surface
from tuner.experiment.space import Range, Scale
from tuner.records import Role, StudyRecord, TrialRecord
from tuner.trial import Value

Array = NDArray[np.float64]

WORTHWHILE = 0.10
"""Share of the score at the optimum, the steps or the distance from the ideal, that widening must save."""
FEW = 5
"""How many of the best trials say where the optimum is."""
AWAY = 0.25
"""Further than this from an edge, in shares of the range, a trial is away from it."""
LOSS_BAND = 5.0
"""Trials that are worse than the best by more in log2 than this tell nothing of the surface near it."""
UNRIVALLED = 4.0
"""Losses beyond which it no longer matters how much worse the best trial away from an edge is."""
WEIGHTS = (-2.17, 0.63, -3.01, 0.47)
"""Of one, and of the signs in order: `python -m tests.benchmarks.edges --fit`, on probed landscapes of its own."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an optimum beyond one side.

    Attributes:
        draws: Log odds of the surface's draws in which widening is worthwhile.
        few: Median distance of the best few trials from the edge, in shares of the range.
        rival: Difference of losses by which the best trial away from the edge is worse than the best.
    """

    draws: float
    few: float
    rival: float

    @property
    def chance(self) -> float:
        """The probability that widening is worthwhile."""
        odds = sum(weight * sign for weight, sign in zip(WEIGHTS, (1.0, self.draws, self.few, self.rival), strict=True))
        return 1 / (1 + math.exp(-odds))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A searched study as positions in its box, best trials first.

    Attributes:
        names: Of the ranges, sorted, so that their order in the space changes nothing.
        best: Hyperparameters of the best trial within the box; empty if every trial there diverged.
        trained: Positions of trials that did not diverge, [trial, parameter]; those of probes lie outside 0 to 1.
        losses: What the sampler was told of those, [trial].
        diverged: Positions of trials that did, [trial, parameter].
        fitted: The surface through the better ones; None if every trial diverged.
    """

    names: tuple[str, ...]
    best: Mapping[str, Value]
    trained: Array
    losses: Array
    diverged: Array
    fitted: Surface | None

    @classmethod
    def of(cls, study: StudyRecord) -> "Evidence":
        """The search of a study, and its probes."""
        ranges = dict(sorted(study.space.ranges()))
        trials = sorted(study.finished(Role.SEARCH, Role.PROBE), key=lambda each: (_loss(each), each.number))
        trained = [each for each in trials if not _has_diverged(each)]
        diverged = [each for each in trials if _has_diverged(each)]
        points = [each.plan.hyperparameters for each in trained]
        positions, losses = _positions(points, ranges), np.array([_loss(each) for each in trained])
        good = losses <= losses.min(initial=math.inf) + LOSS_BAND
        return cls(
            names=tuple(ranges),
            best=next((each for each in points if each in study.space), {}),
            trained=positions,
            losses=losses,
            diverged=_positions([each.plan.hyperparameters for each in diverged], ranges),
            fitted=surface.fit(positions[good], losses[good]) if points and ranges else None,
        )

    def signs(self, reach: Array) -> list[tuple[Signs, Signs]]:
        """What speaks for the optimum being beyond the low and the high side of each range; nothing if all diverged.

        Args:
            reach: How far each side would be widened, in shares of the range, [parameter].
        """
        if self.fitted is None:
            return []
        worthwhile = self.fitted.gains(reach, start=self.trained[0]) > -math.log2(1 - WORTHWHILE)
        share = (worthwhile.sum(axis=0) + 0.5) / (len(worthwhile) + 1)
        odds = np.log(share / (1 - share))
        return [
            (
                self._signs(self.trained[:, each], float(odds[each, 0])),
                self._signs(1 - self.trained[:, each], float(odds[each, 1])),
            )
            for each in range(len(self.names))
        ]

    def _signs(self, distances: Array, odds: float) -> Signs:
        """The signs of one side, from each trial's distance to it."""
        away = self.losses[distances > AWAY]
        rival = float(away[0] - self.losses[0]) if away.size else UNRIVALLED
        return Signs(odds, float(np.median(distances[:FEW])), min(rival, UNRIVALLED))


def reach(limits: Range) -> float:
    """How far widening moves a side, in shares of the range: a decade, or half of a linear range."""
    if limits.scale is Scale.LINEAR:
        return 0.5
    return math.log(10) / (limits.scale.forward(limits.high) - limits.scale.forward(limits.low))


def _positions(points: Sequence[Mapping[str, Value]], ranges: Mapping[str, Range]) -> Array:
    """Where points lie in the box, [point, parameter]."""
    rows = [[limits.position(float(point[name])) for name, limits in ranges.items()] for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(points), len(ranges))


def _loss(trial: TrialRecord) -> float:
    """What the sampler was told."""
    return trial.end.loss if trial.end is not None else math.inf


def _has_diverged(trial: TrialRecord) -> bool:
    return trial.end is not None and not trial.end.outcome.has_trained

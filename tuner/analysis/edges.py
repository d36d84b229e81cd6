"""Is the optimum at an edge of the space? Asked of each range, on its own scale, once a study is searched.

An optimum is outside if widening that side would lower the best steps by more than `WORTHWHILE`. That the best point
lies near an edge is no evidence by itself: a parameter without effect has its best value anywhere, and along a ridge
of constant `lr / (1 - momentum)` the best few scatter over the whole box. So a side is flagged if the best few lie near
it, no trial further in rivals them, and the response surface finds it more probable than not that going on would help.

Chosen and measured on synthetic landscapes (tests/tuner/analysis/landscapes.py says what and how often).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from tuner.analysis import surface
from tuner.analysis.confirmation import Confirmation
from tuner.analysis.surface import Surface
from tuner.records import Role, StudyRecord, TrialRecord
from tuner.space import Natural, Range, Scale, Side
from tuner.trial import Outcome, Value

Array = NDArray[np.float64]

WORTHWHILE = 0.10
"""Share of the best steps that widening must save."""
WIDENING = 0.25
"""How far beyond an edge the surface is trusted, as a share of the range."""
FEW = 5
"""How many of the best trials say where the optimum is."""
NEAR = 0.25
"""Within this distance of an edge, in shares of the range, their median is near it."""
RIVAL = 0.3
"""A trial further in rivals the best if it is worse by fewer log2 steps than this (23 %): seeds differ as much."""
AT_FRONTIER = 0.1
"""Within this distance of where training stops working, the best few sit at a stability limit."""
LOSS_BAND = 5.0
"""Trials that are worse than the best by more log2 steps than this would bend the surface and tell nothing."""
BEYOND = 3
"""Diverged trials beyond the best that make a stability limit."""


class Verdict(StrEnum):
    """Where the optimum lies, as seen from one parameter."""

    BOX_EDGE = "box_edge"
    STABILITY_LIMIT = "stability_limit"
    NATURAL_LIMIT = "natural_limit"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class EdgeVerdict:
    """What is known of one parameter's more suspicious side.

    Attributes:
        position: Where the best point lies in the range on its own scale, 0 to 1.
        value: The best point's value.
    """

    parameter: str
    side: Side
    verdict: Verdict
    position: float
    value: float

    @property
    def sentence(self) -> str:
        """What this says, and what to do about it."""
        end = f"{self.side} end of {self.parameter}"
        return {
            Verdict.BOX_EDGE: f"The optimum is probably beyond the {end}: widen the range there.",
            Verdict.STABILITY_LIMIT: f"{self.parameter} is as {self.side} as training allows: beyond, trials diverge.",
            Verdict.NATURAL_LIMIT: f"The optimum is at the {end}, where the parameter itself ends.",
            Verdict.INSIDE: f"The optimum of {self.parameter} is inside its range.",
        }[self.verdict]


def check(study: StudyRecord, confirmed: Confirmation | None = None) -> tuple[EdgeVerdict, ...]:
    """A verdict for each range of a study's space, in the space's order; none if every trial diverged.

    Trials that did not reach the target count by the loss the sampler was told, so a study that nothing reached says
    where its space should grow.
    """
    ranges = dict(study.space.ranges())
    trials = sorted(study.finished(Role.SEARCH), key=lambda each: (_loss(each), each.number))
    trained = [each for each in trials if not _has_diverged(each)]
    if not (trained and ranges):
        return ()
    best = confirmed.hyperparameters if confirmed else trained[0].plan.hyperparameters
    evidence = _Evidence(
        best=_positions([best], ranges)[0],
        few=_positions([best] * bool(confirmed) + [each.plan.hyperparameters for each in trained[:FEW]], ranges),
        trained=_positions([each.plan.hyperparameters for each in trained], ranges),
        losses=np.array([_loss(each) for each in trained]),
        diverged=_positions([each.plan.hyperparameters for each in trials if _has_diverged(each)], ranges),
    )
    fitted = evidence.surface()
    return tuple(
        _verdict(evidence, fitted, name=name, limits=limits, column=column, value=best[name])
        for column, (name, limits) in enumerate(ranges.items())
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A study as positions in its box, [trial, parameter], best trials first."""

    best: Array
    few: Array
    trained: Array
    losses: Array
    diverged: Array

    def surface(self) -> Surface:
        """The response surface of the trials that are not hopeless."""
        good = self.losses <= self.losses[0] + LOSS_BAND
        return surface.fit(self.trained[good], self.losses[good])

    def optimum(self, fitted: Surface) -> Array:
        """Where in the box the surface is lowest, [parameter]: the best of its trials and an even cover."""
        cover = qmc.Sobol(self.trained.shape[1], scramble=False).random_base2(9)
        places = np.vstack([self.trained, cover])
        return np.asarray(places[np.argmin(fitted.at(places))])


def _verdict(
    evidence: _Evidence, fitted: Surface, *, name: str, limits: Range, column: int, value: Value
) -> EdgeVerdict:
    """The verdict for one range: of its two sides the one that is worse, or nearer if both are fine."""
    position = float(evidence.best[column])
    nearer = sorted(Side, key=lambda side: _distance(position, side))
    verdicts = {side: _judge(evidence, fitted, limits=limits, column=column, side=side) for side in nearer}
    side = min(nearer, key=lambda side: list(Verdict).index(verdicts[side]))
    return EdgeVerdict(name, side, verdicts[side], min(max(position, 0.0), 1.0), float(value))


def _judge(evidence: _Evidence, fitted: Surface, *, limits: Range, column: int, side: Side) -> Verdict:
    """The verdict for one side of a range."""
    if _is_stability_limit(evidence, column, side):
        return Verdict.STABILITY_LIMIT
    typical = float(np.median(evidence.few[:, column]))
    if (
        _distance(typical, side) > NEAR
        or _is_rivalled(evidence, column, side)
        or _chance_of_gain(evidence, fitted, column, side) <= 0.5
    ):
        return Verdict.INSIDE
    return Verdict.NATURAL_LIMIT if is_natural(limits, side) else Verdict.BOX_EDGE


def _is_stability_limit(evidence: _Evidence, column: int, side: Side) -> bool:
    """Whether the best few sit where training stops working: beyond, nothing but divergence was seen."""
    trained = [_distance(each, side) for each in evidence.trained[:, column]]
    diverged = [_distance(each, side) for each in evidence.diverged[:, column]]
    frontier = min(trained)  # the least distance to the edge at which something still trained
    sits = float(np.median([_distance(each, side) for each in evidence.few[:, column]]))
    return sits <= frontier + AT_FRONTIER and sum(each < frontier for each in diverged) >= BEYOND


def _is_rivalled(evidence: _Evidence, column: int, side: Side) -> bool:
    """Whether a trial away from an edge is about as good as the best."""
    away = np.array([_distance(each, side) > NEAR for each in evidence.trained[:, column]])
    return bool(np.any(evidence.losses[away] < evidence.losses[0] + RIVAL))


def _chance_of_gain(evidence: _Evidence, fitted: Surface, column: int, side: Side) -> float:
    """How probable it is that the best place beyond an edge beats the best inside, other parameters held, worthwhile.

    Both places are looked for along the line through the surface's lowest point.
    """
    optimum = evidence.optimum(fitted)
    edge = 0.0 if side is Side.LOW else 1.0
    outward = -WIDENING if side is Side.LOW else WIDENING
    inside = _lowest(fitted, optimum, column, np.linspace(0.0, 1.0, 41))
    beyond = _lowest(fitted, optimum, column, edge + outward * np.linspace(0.0, 1.0, 21))
    return fitted.probability_of_gain(inside, beyond, more_than=-math.log2(1 - WORTHWHILE))


def _lowest(fitted: Surface, through: Array, column: int, along: Array) -> Array:
    """The lowest place of the surface on a line parallel to an axis, [parameter]."""
    places = np.repeat(through[None], len(along), axis=0)
    places[:, column] = along
    return np.asarray(places[np.argmin(fitted.at(places))])


def is_natural(limits: Range, side: Side) -> bool:
    """Whether a range ends because the parameter does: as the experiment says, or as far as its scale tells.

    A reverse logarithm measures how far a value is from 1 and starts at 0 (no momentum); a linear range that starts at
    exactly 0 holds amounts, and one that ends at exactly 1 as well holds shares. A logarithm has no end.
    """
    if limits.natural in (Natural.BOTH, Natural(side)):
        return True
    if side is Side.LOW:
        return limits.scale is not Scale.LOG and limits.low == 0
    return limits.scale is Scale.LINEAR and limits.low == 0 and limits.high == 1


def _distance(position: float, side: Side) -> float:
    """From a position to an edge, in shares of the range."""
    return position if side is Side.LOW else 1 - position


def _positions(points: Sequence[Mapping[str, Value]], ranges: Mapping[str, Range]) -> Array:
    """Where points lie in the box, [point, parameter]."""
    rows = [[limits.position(float(point[name])) for name, limits in ranges.items()] for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(points), len(ranges))


def _loss(trial: TrialRecord) -> float:
    """What the sampler was told."""
    return trial.end.loss if trial.end is not None else math.inf


def _has_diverged(trial: TrialRecord) -> bool:
    return trial.end is not None and trial.end.outcome is Outcome.INFEASIBLE

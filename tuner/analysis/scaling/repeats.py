"""Intervals over repeated searches: where the score of an optimum lies if the whole experiment were repeated.

The interval of a confirmed optimum over training seeds (`tuner.analysis.optimum.intervals`) is about its point: it says
nothing about what another search would have found. How far searches differ shows in the curve: on logarithmic axes each
batch size lies off the line between its neighbours, by more than seeds explain. That excess is taken to be the same at
all batch sizes. The bend of the curve itself adds to it, so the intervals are rather too wide than too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tuner.analysis.optimum.intervals import CONFIDENCE, RESAMPLES
from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint, redrawn_medians

Array = NDArray[np.float64]

LEAST_DEVIATIONS = 3
"""Batch sizes with two neighbours: fewer say nothing about how far searches differ."""


@dataclass(frozen=True, slots=True)
class RepeatedInterval:
    """Where the median of many repeated experiments lies, with `CONFIDENCE`, as scores."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Repeats:
    """How far repeated experiments would come to other scores.

    Attributes:
        points: The batch sizes that have a score with every seed.
        variances: Of log2 of the score of each, over training seeds and searches, [point].
        freedom: Degrees of freedom with which the part of the searches was estimated.
    """

    points: tuple[ScalingPoint, ...]
    variances: Array
    freedom: int

    def redrawn(self, generator: np.random.Generator) -> Array:
        """Scores of repeated experiments around those measured, [resample, point]: Student's t, as the intervals."""
        noise = generator.standard_normal((RESAMPLES, len(self.points)))
        share = generator.chisquare(self.freedom, size=(RESAMPLES, 1)) / self.freedom
        scores = np.array([each.score for each in self.points])
        return np.asarray(scores * 2 ** (noise * np.sqrt(self.variances / share)))


def repeats(curve: ScalingCurve, *, seed: int = 0) -> Repeats | None:
    """How far the scores of a curve would differ in repeated experiments; None if batch sizes are too few to say.

    Args:
        curve: Confirmed scores, with those of each seed.
        seed: Of the resampling of seeds.
    """
    points = tuple(each for each in curve.reached() if each.per_seed and math.isfinite(each.high))
    if len(points) < LEAST_DEVIATIONS + 2:
        return None
    scores = np.log2([each.score for each in points])
    of_seeds = np.log2(redrawn_medians(points, np.random.default_rng(seed))).var(axis=0)  # [point]
    excess = max(_deviation(points, scores) - float(of_seeds.mean()), 0.0)
    return Repeats(points, of_seeds + excess, freedom=len(points) - 2)


def repeated_intervals(curve: ScalingCurve, *, seed: int = 0) -> dict[int, RepeatedInterval]:
    """The interval of each batch size that has a score with every seed; none if they are too few.

    Args:
        curve: Confirmed scores, with those of each seed.
        seed: Of the resampling of seeds.
    """
    found = repeats(curve, seed=seed)
    if found is None:
        return {}
    reach = float(stdtrit(found.freedom, (1 + CONFIDENCE) / 2)) * np.sqrt(found.variances)
    return {
        each.batch_size: RepeatedInterval(each.score * 2**-width, each.score * 2**width)
        for each, width in zip(found.points, map(float, reach), strict=True)
    }


def _deviation(points: Sequence[ScalingPoint], scores: Array) -> float:
    """The variance of one batch size's log2 score: how far each lies off the line between its neighbours."""
    sizes = np.log2([each.batch_size for each in points])
    share = (sizes[1:-1] - sizes[:-2]) / (sizes[2:] - sizes[:-2])
    off = scores[1:-1] - (1 - share) * scores[:-2] - share * scores[2:]
    return float(np.mean(off**2 / (1 + share**2 + (1 - share) ** 2)))

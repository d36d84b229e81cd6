"""Intervals over repeated searches: where the steps of an optimum lie if the whole experiment were repeated.

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

from tuner.analysis.scaling.curve import CONFIDENCE, ScalingCurve, ScalingPoint, redrawn_medians

Array = NDArray[np.float64]

LEAST_DEVIATIONS = 3
"""Batch sizes with two neighbours: fewer say nothing about how far searches differ."""


@dataclass(frozen=True, slots=True)
class RepeatedInterval:
    """Where the median of many repeated experiments lies, with `CONFIDENCE`, in steps."""

    low: float
    high: float


def repeated_intervals(curve: ScalingCurve, *, seed: int = 0) -> dict[int, RepeatedInterval]:
    """The interval of each batch size that reached its target with every seed; none if they are too few.

    Args:
        curve: Confirmed steps, with those of each seed.
        seed: Of the resampling of seeds.
    """
    points = [each for each in curve.reached() if each.per_seed and math.isfinite(each.high)]
    if len(points) < LEAST_DEVIATIONS + 2:
        return {}
    steps = np.log2([each.steps for each in points])
    of_seeds = np.log2(redrawn_medians(points, np.random.default_rng(seed))).var(axis=0)  # [point]
    excess = max(_deviation(points, steps) - float(of_seeds.mean()), 0.0)
    quantile = float(stdtrit(len(points) - 2, (1 + CONFIDENCE) / 2))  # of Student's t
    reach = quantile * np.sqrt(of_seeds + excess)
    return {
        each.batch_size: RepeatedInterval(each.steps * 2**-width, each.steps * 2**width)
        for each, width in zip(points, map(float, reach), strict=True)
    }


def _deviation(points: Sequence[ScalingPoint], steps: Array) -> float:
    """The variance of one batch size's log2 steps: how far each lies off the line between its neighbours."""
    sizes = np.log2([each.batch_size for each in points])
    share = (sizes[1:-1] - sizes[:-2]) / (sizes[2:] - sizes[:-2])
    off = steps[1:-1] - (1 - share) * steps[:-2] - share * steps[2:]
    return float(np.mean(off**2 / (1 + share**2 + (1 - share) ** 2)))

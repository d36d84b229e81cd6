"""Steps to target against batch size: perfect scaling, its end, and the critical batch size.

Shallue et al. 2019 (arXiv 1811.03600) for the three regions; McCandlish et al. 2018 (arXiv 1812.06162) for the curve
`S = Smin (1 + Bcrit / B)`: it falls as `1 / B` well below `Bcrit`, is twice the floor there, and flat well above.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.models import hyperbolas
from tuner.analysis.optimum.confirmation import confirm
from tuner.records import ExperimentRecord
from tuner.trial import Value

Array = NDArray[np.float64]

LEAST_POINTS = 3
"""Fewer say nothing about a curve of two parameters."""
LEAST_SEEDS = 2
"""One seed says nothing about how far others would be."""
STILL_PERFECT = math.sqrt(2)
"""Scaling counts as perfect while it takes at most this many times the steps: half a doubling lost."""
RESAMPLES = 400
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """What one batch size came to: steps to target, or the score of another goal (`tuner.trial.score_of`).

    Attributes:
        score: The median over seeds, or a prediction; infinite if the target was not reached.
        per_seed: The score of each seed, infinite where it has none; empty for a prediction.
        hyperparameters: The optimum; empty where a prediction has none.
        reason: Why a prediction never reaches the target; else empty.
    """

    batch_size: int
    score: float
    per_seed: tuple[float, ...]
    hyperparameters: Mapping[str, Value]
    reason: str = ""

    @property
    def low(self) -> float:
        """The best score of a seed."""
        return min(self.per_seed, default=self.score)

    @property
    def high(self) -> float:
        """The worst score of a seed."""
        return max(self.per_seed, default=self.score)


@dataclass(frozen=True, slots=True)
class ScalingCurve:
    """Scores at several batch sizes, measured or predicted.

    Attributes:
        points: Smallest batch size first.
        unreached: Batch sizes at which nothing has a score, in the whole of a study.
    """

    points: tuple[ScalingPoint, ...]
    unreached: tuple[int, ...] = ()

    def reached(self) -> tuple[ScalingPoint, ...]:
        """The points with a finite score."""
        return tuple(each for each in self.points if math.isfinite(each.score))


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """`S = Smin (1 + Bcrit / B)`, fitted.

    Attributes:
        least_steps: `Smin`, the floor.
        critical_batch_size: `Bcrit`.
        low, high: Where `Bcrit` lies, with `CONFIDENCE`, as far as seeds tell; None with fewer than `LEAST_SEEDS`.
        residual: Root mean square of measured over fitted steps, in log2.
        measured_to: The largest batch size measured.
    """

    least_steps: float
    critical_batch_size: float
    low: float | None
    high: float | None
    residual: float
    measured_to: int

    def steps(self, batch_size: float) -> float:
        """Fitted steps to target."""
        return self.least_steps * (1 + self.critical_batch_size / batch_size)

    @property
    def is_extrapolated(self) -> bool:
        """Whether the critical batch size lies beyond what was measured."""
        return self.critical_batch_size > self.measured_to


@dataclass(frozen=True, slots=True)
class NotFitted:
    """Why there is no fit."""

    sentence: str


def scaling_curve(record: ExperimentRecord) -> ScalingCurve:
    """The confirmed curve of an experiment, as far as its studies are confirmed."""
    settings = record.experiment.confirmation
    confirmations = [(study, confirm(study, settings)) for study in record.studies]
    points = [
        ScalingPoint(study.batch_size, found.score, found.per_seed, found.hyperparameters)
        for study, found in confirmations
        if found is not None
    ]
    unreached = [
        study.batch_size
        for study, found in confirmations
        if (found is None and study.is_confirmed) or (found is not None and not math.isfinite(found.score))
    ]
    return ScalingCurve(tuple(sorted(points, key=lambda each: each.batch_size)), tuple(sorted(unreached)))


def perfect_scaling(curve: ScalingCurve) -> tuple[float, ...]:
    """Steps at each reached batch size if doubling the batch halved the steps: `steps[0] * batch[0] / batch`."""
    points = curve.reached()
    return tuple(points[0].score * points[0].batch_size / each.batch_size for each in points)


def perfect_until(curve: ScalingCurve) -> int | None:
    """The batch size up to which scaling is perfect within `STILL_PERFECT`; None if nothing was reached."""
    end = None
    for point, steps in zip(curve.reached(), perfect_scaling(curve), strict=True):
        if point.score > STILL_PERFECT * steps:
            break
        end = point.batch_size
    return end


def fit(curve: ScalingCurve, *, seed: int = 0) -> ScalingFit | NotFitted:
    """The curve `S = Smin (1 + Bcrit / B)` through the medians, in log space, with a bootstrap interval over seeds.

    Args:
        curve: The curve; points that did not reach the target are left out.
        seed: Of the bootstrap's resampling.
    """
    points = curve.reached()
    if len(points) < LEAST_POINTS:
        have = f"{len(points)} batch size{'s' * (len(points) != 1)}"
        return NotFitted(f"A curve needs {LEAST_POINTS} batch sizes that reached the target; {have} did.")
    batch_sizes = np.array([each.batch_size for each in points], dtype=np.float64)
    steps = np.array([each.score for each in points])
    ((least_steps,), (critical,)) = hyperbolas.fit(batch_sizes, steps[None])
    residuals = np.log2(steps) - np.log2(least_steps * (1 + critical / batch_sizes))
    low, high = _interval(points, batch_sizes, seed=seed)
    return ScalingFit(
        least_steps=float(least_steps),
        critical_batch_size=float(critical),
        low=low,
        high=high,
        residual=float(np.sqrt(np.mean(residuals**2))),
        measured_to=points[-1].batch_size,
    )


def _interval(
    points: Sequence[ScalingPoint], batch_sizes: Array, *, seed: int
) -> tuple[float, float] | tuple[None, None]:
    """Percentiles of `Bcrit` over curves whose seeds are drawn again, with replacement, at every batch size."""
    if not all(len(each.per_seed) >= LEAST_SEEDS for each in points):
        return None, None
    steps = redrawn_medians(points, np.random.default_rng(seed))
    enough = steps[np.isfinite(steps).sum(axis=1) >= LEAST_POINTS]
    if not len(enough):
        return None, None
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(hyperbolas.fit(batch_sizes, enough).critical_batch_size, [tail, 100 - tail])
    return float(low), float(high)


def redrawn_medians(points: Sequence[ScalingPoint], generator: np.random.Generator) -> Array:
    """Medians over seeds that were drawn again, [resample, point]; infinite where most of them have no score."""
    counts = [len(each.per_seed) for each in points]
    drawn = generator.integers(0, np.repeat(counts, counts), size=(RESAMPLES, sum(counts)))
    own = np.split(drawn, np.cumsum(counts)[:-1], axis=1)
    return np.column_stack(
        [np.median(np.array(each.per_seed)[chosen], axis=1) for each, chosen in zip(points, own, strict=True)]
    )

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
from tuner.analysis.optimum.intervals import EXACT, LEAST_SEEDS, few_seeds, middle, redrawn
from tuner.experiment.workload.bounds import StoredWorkload
from tuner.records import ExperimentRecord
from tuner.trial import Value

Array = NDArray[np.float64]

LEAST_POINTS = 3
"""Fewer say nothing about a curve of two parameters."""


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
        is_exact: Whether the workload measures the same with every seed, so that there is nothing to have an interval.
    """

    points: tuple[ScalingPoint, ...]
    unreached: tuple[int, ...] = ()
    is_exact: bool = False

    @property
    def seeds(self) -> int:
        """The fewest that report a point with a finite score; 0 if none is measured."""
        return min((len(each.per_seed) for each in self.reached()), default=0)

    @property
    def has_intervals(self) -> bool:
        """Whether what follows from the medians has intervals over seeds."""
        return self.seeds >= LEAST_SEEDS and not self.is_exact

    @property
    def why_no_interval(self) -> str:
        """Within a sentence; empty if there are intervals, or nothing is measured."""
        if self.is_exact:
            return EXACT
        return few_seeds(self.seeds) if 0 < self.seeds < LEAST_SEEDS else ""

    def reached(self) -> tuple[ScalingPoint, ...]:
        """The points with a finite score."""
        return tuple(each for each in self.points if math.isfinite(each.score))


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """`S = Smin (1 + Bcrit / B)`, fitted.

    Attributes:
        least_steps: `Smin`, the floor.
        critical_batch_size: `Bcrit`.
        low, high: Where `Bcrit` lies, with `CONFIDENCE`, as far as seeds tell; None with fewer than `LEAST_SEEDS`,
            or if steps are exact.
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
    ordered = tuple(sorted(points, key=lambda each: each.batch_size))
    return ScalingCurve(ordered, tuple(sorted(unreached)), is_exact=_is_exact(ordered, record))


def _is_exact(points: Sequence[ScalingPoint], record: ExperimentRecord) -> bool:
    """Whether the workload says that it measures the same with every seed; it is asked only if the seeds agree."""
    agree = bool(points) and all(len(set(each.per_seed)) == 1 for each in points)
    return agree and StoredWorkload(record.experiment).is_exact


def perfect_scaling(curve: ScalingCurve) -> tuple[float, ...]:
    """Steps at each reached batch size if doubling the batch halved the steps: `steps[0] * batch[0] / batch`."""
    points = curve.reached()
    return tuple(points[0].score * points[0].batch_size / each.batch_size for each in points)


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
    low, high = _interval(points, batch_sizes, seed=seed) if curve.has_intervals else (None, None)
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
    steps = redrawn_medians(points, np.random.default_rng(seed))
    enough = steps[np.isfinite(steps).sum(axis=1) >= LEAST_POINTS]
    if not len(enough):
        return None, None
    return middle(hyperbolas.fit(batch_sizes, enough).critical_batch_size)


def redrawn_medians(points: Sequence[ScalingPoint], generator: np.random.Generator) -> Array:
    """Medians over seeds that were drawn again, [resample, point]; infinite where most of them have no score."""
    return redrawn([each.per_seed for each in points], generator)

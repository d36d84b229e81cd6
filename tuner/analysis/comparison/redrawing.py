"""An experiment that is compared, and its curve as other seeds and other searches might have drawn it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.finite import finite
from tuner.analysis.models import hyperbolas
from tuner.analysis.optimum.intervals import LEAST_SEEDS, RESAMPLES, middle
from tuner.analysis.scaling.curve import (
    LEAST_POINTS,
    NotFitted,
    ScalingCurve,
    ScalingFit,
    ScalingPoint,
    fit,
    redrawn_medians,
    scaling_curve,
)
from tuner.analysis.scaling.regions import Regions, regions
from tuner.analysis.scaling.repeats import repeats
from tuner.records import ExperimentRecord
from tuner.trial import hash_seed

Array = NDArray[np.float64]

NO_FIT = NotFitted("There is no critical batch size of best values.")


@dataclass(frozen=True, slots=True)
class Interval:
    """Where something lies with `CONFIDENCE`; a side that cannot be told goes to 0 or infinity."""

    low: float
    high: float

    def has(self, value: float) -> bool:
        """Whether the value lies in it."""
        return self.low <= value <= self.high

    def to_json(self) -> dict[str, object]:
        """Null stands for infinity."""
        return {"low": self.low, "high": finite(self.high)}


@dataclass(frozen=True, slots=True)
class Redrawn:
    """A curve drawn again and again.

    Attributes:
        batch_sizes: Those of the curve that have a score.
        scores: Of each, [resample, point]; infinite where most of the seeds have none.
        fits: Those of these curves, [resample]; not a number where there is none. None if the curve has no fit.
    """

    batch_sizes: tuple[int, ...]
    scores: Array
    fits: hyperbolas.Fitted | None

    def at(self, batch_size: int) -> Array | None:
        """The scores at a batch size, [resample]; None if it has none."""
        if batch_size not in self.batch_sizes:
            return None
        return np.asarray(self.scores[:, self.batch_sizes.index(batch_size)])


@dataclass(frozen=True, slots=True)
class Compared:
    """An experiment as it is compared.

    Attributes:
        record: The experiment, judged by the goal that all are compared by.
        fit: That of its curve; `NotFitted` also if scores are no steps.
        regions: Those of its curve; None if the goal is no target, or too few batch sizes reached it.
        seeds: Its curve as other training seeds of the same optima might draw it; None with fewer than `LEAST_SEEDS`
            reporting seeds.
        searches: As a repeated experiment might draw it; None where that cannot be estimated.
        note: What was made of its curves to judge it by another goal than its own; empty if nothing was.
    """

    record: ExperimentRecord
    curve: ScalingCurve
    fit: ScalingFit | NotFitted
    regions: Regions | None
    seeds: Redrawn | None
    searches: Redrawn | None
    note: str = ""

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.record.experiment.name

    @property
    def is_complete(self) -> bool:
        """Whether all of its studies are done."""
        return all(each.complete for each in self.record.studies)

    @property
    def points(self) -> dict[int, ScalingPoint]:
        """What each confirmed batch size came to."""
        return {each.batch_size: each for each in self.curve.points}

    @property
    def scores(self) -> dict[int, float]:
        """The median at each batch size that is confirmed, infinite where there is none."""
        return dict.fromkeys(self.curve.unreached, math.inf) | {
            each.batch_size: each.score for each in self.curve.points
        }

    @property
    def floor(self) -> Interval | None:
        """Where the least steps lie over training seeds; None without a fit or without seeds enough."""
        if self.seeds is None or self.seeds.fits is None:
            return None
        return interval(self.seeds.fits.least_steps)


def compared(record: ExperimentRecord, *, note: str = "") -> Compared:
    """An experiment with its curve, its fit, and both drawn again: the same each time, whatever it is compared with."""
    goal, curve = record.experiment.goal, scaling_curve(record)
    fitted = fit(curve) if goal.unit.counts_steps else NO_FIT
    found_regions = regions(curve) if goal.unit.counts_steps else None
    generator = np.random.default_rng(hash_seed("comparison", record.experiment.name))
    points = [each for each in curve.reached() if len(each.per_seed) >= LEAST_SEEDS]
    is_fitted = isinstance(fitted, ScalingFit)
    seeds = _redrawn(points, redrawn_medians(points, generator), fits=is_fitted, of=curve) if points else None
    found = repeats(curve) if record.experiment.space.is_searched else None
    searches = None if found is None else _redrawn(found.points, found.redrawn(generator), fits=is_fitted, of=curve)
    return Compared(record, curve, fitted, found_regions, seeds, searches, note)


def _redrawn(points: Sequence[ScalingPoint], scores: Array, *, fits: bool, of: ScalingCurve) -> Redrawn:
    """Curves with their fits, where there are as many points as the fit of the measured curve has."""
    sizes = tuple(each.batch_size for each in points)
    if not fits or len(points) < len(of.reached()):
        return Redrawn(sizes, scores, None)
    enough = np.isfinite(scores).sum(axis=1) >= LEAST_POINTS
    both = np.full((2, RESAMPLES), np.nan)
    if enough.any():
        both[:, enough] = hyperbolas.fit(np.array(sizes, dtype=np.float64), scores[enough])
    return Redrawn(sizes, scores, hyperbolas.Fitted(*both))


def interval(drawn: Array) -> Interval:
    """Percentiles of what was drawn, positive numbers; what is not a number may lie on either side of them all."""
    unknown = np.isnan(drawn)
    low, _ = middle(np.where(unknown, 0.0, drawn))
    _, high = middle(np.where(unknown, math.inf, drawn))
    return Interval(low, high)

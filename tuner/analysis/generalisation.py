"""Whether small and large batches generalise differently once each is tuned.

Hoffer et al. 2017 (arXiv 1705.08741) and Keskar et al. 2017 (arXiv 1609.04836) found that large batches generalise
worse, with hyperparameters of the small batch or one rule for them. Here each batch size has its own optimum. Its
reporting trials are compared where they end: when the validation target is reached, or when the budget is spent.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tuner.analysis.optimum.confirmation import reports
from tuner.analysis.optimum.intervals import (
    CONFIDENCE,
    LEAST_SEEDS,
    PERCENT,
    MedianInterval,
    median_interval,
    middle,
    redrawn,
)
from tuner.analysis.summary import Json
from tuner.experiment import Experiment
from tuner.experiment.goals.best_within import Best
from tuner.experiment.workload.bounds import StoredWorkload
from tuner.records import ExperimentRecord, StudyRecord

Array = NDArray[np.float64]

LEAST_POINTS = 3
"""A line through two points says nothing about how far off it is."""


@dataclass(frozen=True, slots=True)
class HeldOutPoint:
    """A quantity at one batch size.

    Attributes:
        per_seed: Its value with each reporting seed that has a score.
    """

    batch_size: int
    per_seed: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median over seeds."""
        return median(self.per_seed)

    @property
    def interval(self) -> MedianInterval | None:
        """An interval for the median over all training seeds; None with fewer than `LEAST_SEEDS`."""
        return median_interval(self.per_seed) if len(self.per_seed) >= LEAST_SEEDS else None


@dataclass(frozen=True, slots=True)
class Trend:
    """How much a quantity changes from the smallest to the largest batch size, on a line over log batch size.

    Attributes:
        low, high: Where the change lies, with `CONFIDENCE`.
    """

    change: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves only one direction."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A quantity that says how well trained models generalise, against batch size.

    Attributes:
        name: A metric, or the difference of two.
        title: The same in words.
        greater_is_better: Which direction is good.
        points: Smallest batch size first; at least one.
        trend: None if batch sizes are too few for one.
    """

    name: str
    title: str
    greater_is_better: bool
    points: tuple[HeldOutPoint, ...]
    trend: Trend | None

    @property
    def is_worse_at_large(self) -> bool:
        """Whether the line says that large batches are worse."""
        return self.trend is not None and (self.trend.change > 0) is not self.greater_is_better

    def to_json(self) -> Json:
        """What `quantities` holds."""
        trend = self.trend
        return {
            "name": self.name,
            "greater_is_better": self.greater_is_better,
            "points": [
                {
                    "batch_size": each.batch_size,
                    "median": each.middle,
                    "low": None if each.interval is None else each.interval.low,
                    "high": None if each.interval is None else each.interval.high,
                    "per_seed": list(each.per_seed),
                }
                for each in self.points
            ],
            "trend": None if trend is None else {"change": trend.change, "low": trend.low, "high": trend.high},
        }


@dataclass(frozen=True, slots=True)
class Generalisation:
    """The quantities of an experiment.

    Attributes:
        metric: The test metric that corresponds to the goal's, if it was measured.
        gap: A metric on held-out examples less the same on those trained on, if both were measured.
        missed: Batch sizes at which some reporting seeds have no score, and are left out.
        is_tuned: Whether the winners come from a search.
    """

    metric: HeldOut | None
    gap: HeldOut | None
    missed: tuple[int, ...]
    is_tuned: bool

    @property
    def lacks_test(self) -> bool:
        """Whether validation examples stand for test examples in the gap."""
        return self.gap is not None and self.gap.name.startswith("validation/")

    @property
    def quantities(self) -> tuple[HeldOut, ...]:
        """Those that were measured; the first is what the verdict is about."""
        return tuple(each for each in (self.metric, self.gap) if each is not None)

    @property
    def verdict(self) -> str:
        """Whether there is a gap between small and large batches, no stronger than the interval says."""
        about = self.quantities[0]
        trend, points = about.trend, about.points
        if trend is None:
            have = f"{len(points)} batch size{'s have' if len(points) > 1 else ' has'} one"
            return f"A trend of {about.title} needs {LEAST_POINTS} batch sizes; {have}."
        change = f"{trend.change:+.2g} ({PERCENT} interval {trend.low:+.2g} to {trend.high:+.2g})"
        told = (
            f"{about.title} changes by {change} from batch size {points[0].batch_size:,} to {points[-1].batch_size:,}"
        )
        if not trend.is_certain:
            bound, once = max(abs(trend.low), abs(trend.high)), " once each batch size is tuned" * self.is_tuned
            return f"No gap is seen{once}: {told}. A gap of up to {bound:.2g} is not ruled out."
        worse, though = "worse" if about.is_worse_at_large else "better", ", each batch size tuned" * self.is_tuned
        return f"Large batches generalise {worse} here{though}: {told}."

    def to_json(self) -> Json:
        """The section's values."""
        return {
            "verdict": self.verdict,
            "confidence": CONFIDENCE,
            "quantities": [each.to_json() for each in self.quantities],
            "missed": list(self.missed),
        }


def generalisation(record: ExperimentRecord) -> Generalisation | None:
    """How well the winners generalise; None if their reporting trials measured nothing that says so."""
    experiment = record.experiment
    finals = {each.batch_size: list(_finals(each, experiment)) for each in record.studies}
    measured = {size: [each for each in found if each is not None] for size, found in sorted(finals.items())}
    missed = tuple(size for size in measured if 0 < len(measured[size]) < len(finals[size]))
    name = experiment.goal.metric.rsplit("/", 1)[-1]
    pairs = ((f"{split}/{each}", f"train/{each}") for split in ("test", "validation") for each in ("loss", name))
    gaps = (_quantity(measured, held_out, trained, greater_is_better=False) for held_out, trained in pairs)
    found = Generalisation(
        metric=_quantity(measured, f"test/{name}", greater_is_better=_greater_is_better(experiment)),
        gap=next((each for each in gaps if each is not None), None),
        missed=missed,
        is_tuned=experiment.space.is_searched,
    )
    if found.metric is None and StoredWorkload(experiment).is_endless:
        return None  # no example is seen twice, so there is nothing to generalise from
    return found if found.quantities else None


def _greater_is_better(experiment: Experiment) -> bool:
    return experiment.goal.above is not None or experiment.goal.best is Best.HIGHEST


def _finals(study: StudyRecord, experiment: Experiment) -> Iterator[Mapping[str, float] | None]:
    """The metrics where each reporting trial of the winner ended; None for one without a score."""
    for each in reports(study, experiment.confirmation):
        yield each.end.final if each.end is not None and math.isfinite(each.score) else None


def _quantity(
    measured: Mapping[int, Sequence[Mapping[str, float]]], name: str, less: str = "", *, greater_is_better: bool
) -> HeldOut | None:
    """A metric, or what it has over another, at every batch size where it is finite with a seed; None without one."""
    points = []
    for size, finals in measured.items():
        values = (
            each[name] - (each[less] if less else 0.0) for each in finals if name in each and (not less or less in each)
        )
        if finite := tuple(each for each in values if math.isfinite(each)):
            points.append(HeldOutPoint(size, finite))
    if not points:
        return None
    split, metric = name.split("/", 1)
    named = (f"{name} - {less}", f"{split} minus training {metric}") if less else (name, name)
    return HeldOut(*named, greater_is_better, tuple(points), trend(points))


def trend(points: Sequence[HeldOutPoint], *, seed: int = 0) -> Trend | None:
    """The line of least squares through medians over log batch size; None if they are too few.

    Its interval is the wider one of two. Seeds drawn again at every batch size tell what luck of seeds does. How far
    medians lie off the line, with Student's t, tells also what another search would have done.

    Args:
        points: Smallest batch size first.
        seed: Of the resampling.
    """
    if len(points) < LEAST_POINTS:
        return None
    sizes = np.log2([each.batch_size for each in points])
    centred, span = sizes - sizes.mean(), sizes[-1] - sizes[0]
    weights = span * centred / (centred @ centred)  # of each median in the change along the line
    generator = np.random.default_rng(seed)
    medians = redrawn([each.per_seed for each in points], generator)  # [resample, point]
    middles = np.array([each.middle for each in points])
    change = float(weights @ middles)
    of_seeds = middle(medians @ weights)
    off = _off_the_line(middles, centred, change / span)
    half = float(stdtrit(len(points) - 2, (1 + CONFIDENCE) / 2)) * off * float(np.sqrt(weights @ weights))
    low, high = min(of_seeds[0], change - half), max(of_seeds[1], change + half)
    return Trend(change, low, high)


def _off_the_line(middles: Array, centred: Array, slope: float) -> float:
    """The standard deviation of medians around their line."""
    residuals = middles - middles.mean() - slope * centred
    return float(np.sqrt(residuals @ residuals / (len(middles) - 2)))

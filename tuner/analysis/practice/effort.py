"""Time and examples to target: confirmed steps times the seconds and the examples of a step, with their uncertainty.

Intervals are percentiles over seeds that are drawn again, as those of the critical batch size, and over repetitions of
the timing that are drawn again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.finite import finite
from tuner.analysis.optimum.intervals import RESAMPLES, middle, redrawn
from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint, redrawn_medians
from tuner.records import Timing

Array = NDArray[np.float64]
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its interval (`CONFIDENCE`); an end is infinite if so many seeds did not reach the target.

    Attributes:
        has_interval: Whether it has one. If not, both ends are the number itself.
    """

    value: float
    low: float
    high: float
    has_interval: bool = True

    def to_json(self) -> Json:
        """The number and its interval; null stands for infinity, or for an end if there is no interval."""
        ends = {
            name: finite(end) if self.has_interval else None for name, end in (("low", self.low), ("high", self.high))
        }
        return {"value": finite(self.value), **ends}

    def times(self, factor: float) -> "Amount":
        """The same in another unit."""
        return replace(self, value=self.value * factor, low=self.low * factor, high=self.high * factor)

    @property
    def phrase(self) -> str:
        """The interval of a ratio, within a sentence: `1.2 to 1.4 times`."""
        if math.isinf(self.high):
            return f"at least {self.low:.2g} times" if self.low > 0 else "any number of times"
        return f"{self.low:.2g} to {self.high:.2g} times" if self.low > 0 else f"at most {self.high:.2g} times"


@dataclass(frozen=True, slots=True)
class Way:
    """A batch size that reaches the target.

    Attributes:
        steps, examples: To the target.
        seconds: To the target; None if it was not timed.
        timing: What it was timed as.
        seeds: How many report it.
    """

    batch_size: int
    steps: Amount
    examples: Amount
    seconds: Amount | None = None
    timing: Timing | None = None
    seeds: int = 0

    @property
    def pace(self) -> Amount:
        """What is to be short: the time, or the steps where nothing was timed."""
        return self.seconds or self.steps

    def to_json(self, price: float | None) -> Json:
        """One entry of `ways`."""
        found: Json = {
            "batch_size": self.batch_size,
            "steps": self.steps.to_json(),
            "examples": self.examples.to_json(),
            "seconds": None if self.seconds is None else self.seconds.to_json(),
        }
        if self.timing is not None:
            timing = self.timing
            found["step"] = {"seconds": timing.median, "low": timing.low, "high": timing.high}
        if price is not None and self.seconds is not None:
            found["cost"] = self.seconds.times(price / 3600).to_json()
        return found


@dataclass(frozen=True, slots=True)
class Efforts:
    """What batch sizes take on one device, and the same drawn again many times.

    Attributes:
        ways: The smallest batch size first.
        paces: Seconds to target, or steps, `[resample, way]`.
        costs: Examples to target, `[resample, way]`, of the same seeds.
        why_no_interval: Within a sentence; empty if there are intervals. Without them nothing is drawn again but the
            timing, and the medians are taken for certain.
    """

    ways: tuple[Way, ...]
    paces: Array
    costs: Array
    why_no_interval: str = ""

    def sooner(self, way: int, than: int) -> Amount:
        """How many times sooner one way is than another."""
        ratio = self.ways[than].pace.value / self.ways[way].pace.value
        return self._ratio(ratio, self.paces[:, than], self.paces[:, way])

    def dearer(self, way: int, than: int) -> Amount:
        """How many times the examples of another way one takes."""
        ratio = self.ways[way].examples.value / self.ways[than].examples.value
        return self._ratio(ratio, self.costs[:, way], self.costs[:, than])

    def _ratio(self, value: float, over: Array, under: Array) -> Amount:
        """A ratio of two, whose seeds are independent. Where both are infinite, it is not known and left out."""
        with np.errstate(invalid="ignore"):
            ratios = over / under
        known = ratios[~np.isnan(ratios)]
        if not len(known):
            return Amount(value, 0.0, math.inf)
        return _amount(value, known, has_interval=not self.why_no_interval)


def efforts(
    points: Sequence[ScalingPoint], timings: Mapping[int, Timing], *, is_exact: bool = False, seed: int = 0
) -> Efforts:
    """What it takes to reach the target at these points; in time if they are timed, all of them, else in steps.

    Args:
        points: With a finite median.
        timings: Of each of their batch sizes; empty if they were not timed.
        is_exact: Whether every seed takes the same steps.
        seed: Of the resampling.
    """
    generator, why = np.random.default_rng(seed), ScalingCurve(tuple(points), is_exact=is_exact).why_no_interval
    medians = np.array([each.score for each in points])
    steps = np.tile(medians, (RESAMPLES, 1)) if why else redrawn_medians(points, generator)
    sizes = np.array([each.batch_size for each in points], dtype=np.float64)
    costs, paces, ways = steps * sizes, steps, []
    if timings:
        paces = steps * np.column_stack([_redrawn(timings[each.batch_size], generator) for each in points])
    for index, each in enumerate(points):
        timing = timings.get(each.batch_size)
        ways.append(
            Way(
                each.batch_size,
                _amount(each.score, steps[:, index], has_interval=not why),
                _amount(each.score * each.batch_size, costs[:, index], has_interval=not why),
                None if timing is None else _amount(each.score * timing.median, paces[:, index], has_interval=not why),
                timing,
                len(each.per_seed),
            )
        )
    return Efforts(tuple(ways), paces, costs, why)


def _redrawn(timing: Timing, generator: np.random.Generator) -> Array:
    """The median of repetitions that are drawn again, `[resample]`."""
    return np.asarray(redrawn([timing.seconds], generator)[:, 0])


def _amount(value: float, drawn: Array, *, has_interval: bool) -> Amount:
    """A number with the percentiles of what was drawn, some of which may be infinite."""
    if not has_interval:
        return Amount(value, value, value, has_interval=False)
    low, high = middle(drawn)
    return Amount(value, min(value, low), max(value, high))

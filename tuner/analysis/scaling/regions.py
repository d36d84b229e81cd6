"""The three regions of a scaling curve, and what larger batches save (Shallue et al. 2019, arXiv 1811.03600).

*Perfect scaling*: doubling the batch size halves the steps. The region begins at or below the smallest batch size
measured. It ends where the steps first exceed `STILL_PERFECT` times those of the line through the smallest batch size
on which doublings halve the steps. There half a doubling is lost.

*Maximal data parallelism*: more examples in a batch save no more steps. The region begins at the batch size from which
on the steps stay within `STILL_PERFECT` times the fewest measured: there half a doubling is left to be gained. It
counts only if batch sizes were measured over the factor `SPAN` from there on, since any curve is flat near its end.
Where it begins is the *maximum useful batch size*.

*Diminishing returns* lie between. All ends are interpolated on logarithmic axes between the batch sizes measured, and
no form of the curve is assumed. Their intervals are percentiles over curves whose seeds are drawn again at every batch
size, as in `curve.fit`, if there are `LEAST_SEEDS`; they know nothing of how well each search found its optimum.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.optimum.intervals import middle
from tuner.analysis.scaling.bounds import Bound
from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint, redrawn_medians

Array = NDArray[np.float64]

STILL_PERFECT = math.sqrt(2)
"""Scaling counts as perfect while it takes at most this many times the steps: half a doubling lost."""
SPAN = 4.0
"""Batch sizes of a region of maximal data parallelism: perfect scaling would have halved the steps twice in it."""
LEAST_POINTS = 2
"""Fewer have no slope."""
HALF_A_DOUBLING = math.log2(STILL_PERFECT)


@dataclass(frozen=True, slots=True)
class Saving:
    """What a batch size saves, compared with the smallest one.

    Attributes:
        steps: The median steps to target.
        factor: `B / B0`: how many times fewer steps perfect scaling would take.
        fewer: How many times fewer steps it takes.
    """

    batch_size: int
    steps: float
    factor: float
    fewer: Bound

    @property
    def examples(self) -> Bound:
        """How many times the examples it takes; perfect scaling takes as many."""
        low, high = (
            None if each is None else self.factor / each if each else math.inf
            for each in (self.fewer.high, self.fewer.low)
        )
        return Bound(self.factor / self.fewer.value, low, high)

    def to_json(self) -> dict[str, object]:
        """One entry of `savings`."""
        return {
            "batch_size": self.batch_size,
            "steps": self.steps,
            "times_fewer_steps": self.fewer.to_json(),
            "times_the_examples": self.examples.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Regions:
    """Where each region begins and ends.

    Attributes:
        smallest, largest: The batch sizes measured that reached the target.
        perfect_end: Where perfect scaling ends and returns begin to diminish.
        maximum_useful: Where maximal data parallelism begins.
        savings: Smallest batch size first.
    """

    smallest: int
    largest: int
    perfect_end: Bound
    maximum_useful: Bound
    savings: tuple[Saving, ...]

    @property
    def perfect_phrase(self) -> str:
        """The batch size at which perfect scaling ends, in short: `10`, or `over 1,024` if beyond what was measured."""
        return f"{self.perfect_end.value:,.0f}" if self.perfect_end.is_known else f"over {self.largest:,}"

    @property
    def is_never_perfect(self) -> bool:
        """Whether perfect scaling ends at the smallest batch size."""
        return self.perfect_end.value <= self.smallest

    def to_json(self) -> dict[str, object]:
        """The regions as JSON."""
        return {
            "measured": [self.smallest, self.largest],
            "perfect_scaling_ends": self.perfect_end.to_json(),
            "maximum_useful_batch_size": self.maximum_useful.to_json(),
            "savings": [each.to_json() for each in self.savings],
        }


def regions(curve: ScalingCurve, *, seed: int = 0) -> Regions | None:
    """The regions of a curve of steps to target; None if fewer than two batch sizes reached it.

    Args:
        curve: Measured or predicted; points that did not reach the target are left out.
        seed: Of the resampling of seeds.
    """
    points = curve.reached()
    if len(points) < LEAST_POINTS:
        return None
    sizes = np.log2([each.batch_size for each in points])
    steps = np.log2([each.score for each in points])
    drawn = (
        _redrawn(points, seed) if curve.has_intervals else np.empty((0, len(points)))
    )  # [resample, point], infinite where a resample has no median
    perfect_end, maximum_useful = _bounds(_ends(sizes, steps), [_ends(sizes, each) for each in drawn])
    fewer = [None] * len(points) if not len(drawn) else [middle(drawn[:, 0] - each) for each in drawn.T]
    savings = [
        Saving(point.batch_size, point.score, point.batch_size / points[0].batch_size, _bound(steps[0] - own, interval))
        for point, own, interval in zip(points, steps, fewer, strict=True)
    ]
    return Regions(points[0].batch_size, points[-1].batch_size, perfect_end, maximum_useful, tuple(savings))


def _redrawn(points: Sequence[ScalingPoint], seed: int) -> Array:
    """Log2 of medians over seeds drawn again, where the smallest batch size has one."""
    drawn = np.log2(redrawn_medians(points, np.random.default_rng(seed)))
    return np.asarray(drawn[np.isfinite(drawn[:, 0])])


def _ends(sizes: Array, steps: Array) -> tuple[float, float]:
    """Log2 of where perfect scaling ends and maximal data parallelism begins, of one curve in log2."""
    known = np.isfinite(steps)
    sizes, steps = sizes[known], steps[known]
    lost = steps + sizes - (steps[0] + sizes[0])  # doublings
    left = steps - steps.min()
    start = _first_above(-sizes[::-1], left[::-1])  # from the largest batch size down
    start = sizes[0] if start == math.inf else -start
    if sizes[-1] - start < math.log2(SPAN) - 1e-9:
        start = math.inf
    return min(_first_above(sizes, lost), start), start


def _first_above(places: Array, heights: Array) -> float:
    """Where a line through points first rises above half a doubling; infinite if never, the first place if at once."""
    above = np.flatnonzero(heights > HALF_A_DOUBLING)
    if not len(above):
        return math.inf
    after = int(above[0])
    if after == 0:
        return float(places[0])
    share = (HALF_A_DOUBLING - heights[after - 1]) / (heights[after] - heights[after - 1])
    return float(places[after - 1] + share * (places[after] - places[after - 1]))


def _bounds(own: tuple[float, float], drawn: Sequence[tuple[float, float]]) -> list[Bound]:
    """Both ends with their intervals, as batch sizes."""
    columns = zip(*drawn, strict=True) if drawn else ((), ())
    return [
        _bound(each, middle(np.array(column)) if column else None) for each, column in zip(own, columns, strict=True)
    ]


def _bound(value: float, interval: tuple[float, float] | None) -> Bound:
    """A number and its interval from their log2; a batch size that was measured is itself again, without rounding."""
    own, *ends = (2.0**each if math.isinf(each) else float(f"{2.0**each:.12g}") for each in (value, *(interval or ())))
    return Bound(own, *ends)

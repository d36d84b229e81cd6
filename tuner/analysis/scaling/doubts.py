"""Doubts: confirmed optima that do not fit those of the other batch sizes, so that a better point must exist.

Steps to target never grow with the batch size if the hyperparameters are tuned, never fall faster than perfect scaling
allows, and their curve bends one way only: on logarithmic axes it lies below a straight line between two of its points
(Shallue et al. 2019; McCandlish et al. 2018). A search that missed its optimum breaks one of these rules.

In simulated experiments at ten batch sizes, with five seeds that differ by 25 %, a study that took 3 times the steps
was always doubted, and fewer than 5 % of the sound ones were (`tests/tuner/analysis/scaling/test_doubts.py`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint, redrawn_medians
from tuner.analysis.words import batch_size_word
from tuner.experiment import GoalSettings, SpaceSettings

Array = NDArray[np.float64]

CERTAIN = 0.95
"""Share of the redrawn seeds with which a median must be above what the others leave room for."""
WORTHWHILE = 1.1
"""Fewer steps than this many times that are no cause for doubt: the search is not better than that itself."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A batch size whose optimum takes more steps than the optima of others leave room for.

    Attributes:
        steps: What it takes; infinite if it did not reach the target.
        most: What the others leave room for.
        others: The batch sizes that say so: a smaller one that takes fewer steps, a larger one by perfect scaling, or
            the two neighbours by the line between them.
    """

    batch_size: int
    steps: float
    most: float
    others: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """The doubt, for a person."""
        takes = f"takes {self.steps:,.0f} steps" if math.isfinite(self.steps) else "did not reach the target"
        named = " and ".join(f"{each:,}" for each in self.others)
        sizes = batch_size_word(len(self.others))
        return (
            f"The optimum of batch size {self.batch_size:,} is in doubt: it {takes}, and by {sizes} {named} it should "
            f"take at most {self.most:,.0f}."
        )

    def to_json(self) -> dict[str, object]:
        """What `doubt` holds; null stands for an infinite number of steps."""
        steps = self.steps if math.isfinite(self.steps) else None
        return {"steps": steps, "most": self.most, "others": list(self.others), "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class _Bound:
    """What others leave room for, in log2 steps: by their medians, and by medians of redrawn seeds [resample]."""

    median: float
    redrawn: Array
    others: tuple[int, ...]


def are_comparable(space: SpaceSettings) -> bool:
    """Whether the optima of different batch sizes say something of each other: each could have been the other's."""
    return space.is_searched and space.is_the_same_everywhere


def doubts(curve: ScalingCurve, goal: GoalSettings, *, seed: int = 0) -> tuple[Doubt, ...]:
    """The confirmed optima that are in doubt, smallest batch size first; none if scores are no steps to a target.

    Args:
        curve: Confirmed steps, with those of each seed.
        goal: Says how many steps a seed was allowed that did not reach the target: it takes more than these.
        seed: Of the resampling of seeds.
    """
    nothing = [ScalingPoint(each, math.inf, (math.inf,), {}) for each in curve.unreached]
    known = {each.batch_size: each for each in (*nothing, *curve.points) if each.per_seed}
    points = [known[each] for each in sorted(known)]
    if len(points) < 2 or not goal.unit.counts_steps:
        return ()
    redrawn = np.log2(redrawn_medians(points, np.random.default_rng(seed)))  # [resample, point]
    budgets = np.log2([goal.at(each.batch_size).within_steps for each in points])
    found = (_doubt(points, redrawn, index, budget=float(budgets[index])) for index in range(len(points)))
    return tuple(each for each in found if each is not None)


def _doubt(points: Sequence[ScalingPoint], redrawn: Array, index: int, *, budget: float) -> Doubt | None:
    """The strongest doubt of one point, if there is any."""
    steps, own = min(math.log2(points[index].score), budget), np.minimum(redrawn[:, index], budget)
    broken = [
        each
        for each in _bounds(points, redrawn, index)
        if steps > each.median + math.log2(WORTHWHILE) and np.mean(own > each.redrawn) >= CERTAIN
    ]
    if not broken:
        return None
    least = min(broken, key=lambda each: each.median)
    return Doubt(points[index].batch_size, points[index].score, round(float(2**least.median), 6), least.others)


def _bounds(points: Sequence[ScalingPoint], redrawn: Array, index: int) -> Iterator[_Bound]:
    """All that others say of one point; nothing by those that did not reach the target."""
    sizes = np.log2([each.batch_size for each in points])
    steps = np.log2([each.score for each in points])
    for other, each in enumerate(points):
        if other != index and math.isfinite(steps[other]):
            perfect = max(sizes[other] - sizes[index], 0.0)
            yield _Bound(steps[other] + perfect, redrawn[:, other] + perfect, (each.batch_size,))
    if 0 < index < len(points) - 1 and np.isfinite(steps[[index - 1, index + 1]]).all():
        share = (sizes[index] - sizes[index - 1]) / (sizes[index + 1] - sizes[index - 1])
        weights = np.array([1 - share, share])
        both = [index - 1, index + 1]
        sides = (points[index - 1].batch_size, points[index + 1].batch_size)
        yield _Bound(float(steps[both] @ weights), redrawn[:, both] @ weights, sides)

"""Intervals for the median score at a point, over training seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

CONFIDENCE = 0.95
"""What the coverage of a median's interval should come near."""


@dataclass(frozen=True, slots=True)
class MedianInterval:
    """An interval between two order statistics, which leaves out as many values at either end.

    Attributes:
        low, high: Where it ends; infinite if so many seeds have no score.
        coverage: How probable it is that such an interval holds the median over all seeds, whatever their distribution;
            more if seeds can have the same score.
    """

    low: float
    high: float
    coverage: float


def median_interval(values: Sequence[float]) -> MedianInterval:
    """The interval between order statistics whose coverage of the median is nearest 95 % (David and Nagaraja 2003).

    The `k`-th least of `n` values is above the median if fewer than `k` are below it, so the interval that leaves out
    `k - 1` at each end covers with probability `1 - 2 P(Binomial(n, 1/2) < k)`. With five values, from the least to the
    greatest: 94 %; one value covers nothing.

    Raises:
        ValueError: There is no value.

    >>> median_interval([40, 50, 44, 55, 47])
    MedianInterval(low=40, high=55, coverage=0.9375)
    """
    if not values:
        raise ValueError("an interval needs at least one value")
    ordered = sorted(values)
    below = accumulate(math.comb(len(ordered), left_out) for left_out in range((len(ordered) + 1) // 2))
    coverages = [1 - 2 * each / 2 ** len(ordered) for each in below]
    left_out = min(range(len(coverages)), key=lambda each: abs(coverages[each] - CONFIDENCE))
    return MedianInterval(ordered[left_out], ordered[-1 - left_out], coverages[left_out])

"""Numbers with intervals from resampled seeds."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.finite import finite
from tuner.analysis.scaling.curve import CONFIDENCE


@dataclass(frozen=True, slots=True)
class Bound:
    """A number that seeds tell within an interval.

    Attributes:
        value: Infinite if it lies beyond what was measured.
        low, high: Where it lies; None without seeds.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether it lies within what was measured."""
        return math.isfinite(self.value)

    def to_json(self) -> dict[str, object]:
        """The number and its interval; null stands for what lies beyond what was measured, or is not known."""
        return {"value": finite(self.value), "low": finite(self.low), "high": finite(self.high)}


def middle(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval that leaves out as many of some values at either end; they may be infinite.

    >>> middle(np.array([3.0, 1.0, 2.0, np.inf]), 0.5)
    (2.0, 3.0)
    """
    ordered = np.sort(values)
    left_out = int((1 - confidence) / 2 * len(ordered))
    return float(ordered[left_out]), float(ordered[-1 - left_out])

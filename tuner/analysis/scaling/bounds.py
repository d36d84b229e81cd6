"""Numbers with intervals from resampled seeds."""

import math
from dataclasses import dataclass

from tuner.analysis.finite import finite


@dataclass(frozen=True, slots=True)
class Bound:
    """A number that seeds tell within an interval.

    Attributes:
        value: Infinite if it lies beyond what was measured.
        low, high: Where it lies; None with fewer than `LEAST_SEEDS` seeds (`tuner.analysis.optimum.intervals`).
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

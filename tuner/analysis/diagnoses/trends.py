"""How a quantity changes with the batch size: a power law through medians, with an interval that says what is known."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuner.analysis.optimum.intervals import CONFIDENCE

LEAST = 4
"""Batch sizes; fewer leave the scatter about a line unknown."""


@dataclass(frozen=True, slots=True)
class Trend:
    """By what factor a quantity changes when the batch size doubles.

    The interval is that of the slope of a line on logarithmic axes, from how far the batch sizes lie off it (Student's
    t). So it holds the luck of seeds, that of the searches that found the optima, and any bend of the curve.

    Attributes:
        factor: For each doubling; 1 is no change.
        low, high: Where it lies, with 95 % confidence.
        span: The largest batch size over the smallest.
    """

    factor: float
    low: float
    high: float
    span: float

    @property
    def verdict(self) -> str:
        """What is known: `grows`, `falls`, or `no change that can be told`."""
        if self.low > 1:
            return "grows"
        return "falls" if self.high < 1 else "no change that can be told"

    @property
    def phrase(self) -> str:
        """The factor with its interval, for a person: `x 1.12 (1.05 to 1.20)`."""
        return f"x {self.factor:.2f} ({self.low:.2f} to {self.high:.2f})"

    def to_json(self) -> dict[str, object]:
        """One entry of `trends`."""
        return {"per_doubling": self.factor, "low": self.low, "high": self.high, "verdict": self.verdict}


def trend(values: Mapping[int, float]) -> Trend | None:
    """The trend of a quantity by batch size; None with fewer than four batch sizes where it is positive and finite."""
    known = {size: value for size, value in values.items() if 0 < value < math.inf}
    if len(known) < LEAST:
        return None
    from scipy.stats import linregress, t

    found = linregress(np.log2(list(known)), np.log2(list(known.values())))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(known) - 2)) * float(found.stderr)
    slope = float(found.slope)
    return Trend(2**slope, 2 ** (slope - reach), 2 ** (slope + reach), max(known) / min(known))

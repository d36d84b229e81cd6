"""Rules of thumb: how a hyperparameter, above all the learning rate, changes with the batch size.

Linearly (Goyal et al. 2017, arXiv 1706.02677), with the square root (Krizhevsky 2014, arXiv 1404.5997), or not at all.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from tuner.experiment.limits.numbers import Count, Level
from tuner.experiment.space import Fixed


class ScalingRule(StrEnum):
    """What becomes of a value when the batch size grows by a factor. Stores keep these words."""

    SAME = "as it is"
    LINEAR = "linear"
    SQUARE_ROOT = "square root"

    def factor(self, growth: float) -> float:
        """What the value is multiplied by when the batch size is multiplied by `growth`."""
        return {
            ScalingRule.SAME: 1.0,
            ScalingRule.LINEAR: growth,
            ScalingRule.SQUARE_ROOT: math.sqrt(growth),
        }[self]


RULES = {"linear": ScalingRule.LINEAR, "sqrt": ScalingRule.SQUARE_ROOT}
"""What an experiment's file calls them. There is no word for the same value everywhere: that is a fixed one."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A value that is not searched, but follows from the batch size: `base` at `base_batch_size`, and else by a rule.

    With `integer` it is the nearest whole number, and at least 1.

    >>> Scaled("linear", base=0.1, base_batch_size=128).at(1024)
    Fixed(value=0.8)
    >>> Scaled("sqrt", base=0.1, base_batch_size=128).at(512)
    Fixed(value=0.2)
    >>> Scaled("linear", base=4000, base_batch_size=128, integer=True).at(192)
    Fixed(value=6000)
    """

    rule: Literal["linear", "sqrt"]
    base: Level
    base_batch_size: Count
    integer: bool = False

    def at(self, batch_size: int) -> Fixed:
        """The value at a batch size, to 12 significant digits, or as a whole number."""
        value = self.base * RULES[self.rule].factor(batch_size / self.base_batch_size)
        return Fixed(max(round(value), 1) if self.integer else float(f"{value:.12g}"))

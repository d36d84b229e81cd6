"""Update rules: what training does with a gradient."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from tuner.analysis.nqm.model import Floats, NoisyQuadratic

LARGEST_RATE = 1e30
"""The largest learning rate that is accepted: its square does not overflow."""


class Method(StrEnum):
    """The update rule. Each but plain SGD has a coefficient in [0, 1); with 0 it is plain SGD."""

    SGD = "sgd"
    HEAVY_BALL = "heavy_ball"
    AVERAGE = "average"

    @property
    def coefficient(self) -> str | None:
        """The name of the coefficient."""
        return {Method.SGD: None, Method.HEAVY_BALL: "momentum", Method.AVERAGE: "averaging"}[self]


@dataclass(frozen=True, slots=True)
class Rule:
    """How training updates its parameters.

    Attributes:
        method: Plain SGD, heavy ball (`v' = b v - lr g`, `x' = x + v'`), or SGD measured at the exponential average
            of its iterates (`u' = g u + x'`, loss at `(1 - g) u`).
        power: Gradients are preconditioned by `h ** -power`: 0 is none, 0.5 stands in for Adam, 0.75 for K-FAC.

    Raises:
        ValueError: The power is outside [0, 1].
    """

    method: Method = Method.SGD
    power: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.power <= 1:
            raise ValueError(
                f"power = {self.power:g} must lie in [0, 1]: 0 is no preconditioning, 1 is Newton's method"
            )

    def largest_stable_rate(self, model: NoisyQuadratic, coefficient: ArrayLike = 0.0) -> Floats:
        """The learning rate at and beyond which the expected loss diverges."""
        steepest = float(np.max(model.curvature ** (1 - self.power)))
        momentum = np.asarray(coefficient, dtype=float) * (self.method is Method.HEAVY_BALL)
        return np.asarray(2 * (1 + momentum) / steepest)

    def check(self, learning_rate: float, coefficient: float) -> None:
        """Raises `ValueError` unless learning rate and coefficient make sense for this rule."""
        if not 0 < learning_rate <= LARGEST_RATE:
            raise ValueError(f"learning_rate = {learning_rate:g} must be a positive number, at most {LARGEST_RATE:g}")
        name = self.method.coefficient
        if name is None and coefficient != 0:
            raise ValueError(f"coefficient = {coefficient:g} has no meaning for plain sgd; leave it 0")
        if not 0 <= coefficient < 1:
            raise ValueError(f"{name} = {coefficient:g} must lie in [0, 1)")

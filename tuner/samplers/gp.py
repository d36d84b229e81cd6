"""A Gaussian process with `log lr / (1 - momentum)` as an extra input, and expected improvement."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt

from tuner.experiment.limits.numbers import Points, Within
from tuner.experiment.space import SearchSpace
from tuner.samplers.suggestions.expected_improvement import ExpectedImprovement

__all__ = ["Gp"]


@dataclass(frozen=True, slots=True)
class Gp:
    """Bayesian optimisation (`tuner.samplers.suggestions.expected_improvement`).

    Attributes:
        startup: Results to wait for before the process models them. Until then the points are quasi-random.
        noise: First guess of the standard deviation of log2 steps between seeds; the process corrects it. 0.2 is 15 %.
    """

    startup: Points = 8
    noise: Annotated[float, Gt(0), Within(100.0, least=1e-6)] = 0.2

    def start(self, space: SearchSpace, *, seed: int) -> ExpectedImprovement:
        return ExpectedImprovement(space, seed=seed, startup=self.startup, noise=self.noise)

"""Independent uniform points on each parameter's own scale."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuner.experiment.sequences import random_point
from tuner.experiment.space import SearchSpace
from tuner.trial import Value

__all__ = ["Random"]


@dataclass(frozen=True, slots=True)
class Random:
    """Random search (Bergstra and Bengio 2012). Point `n` depends on nothing but the study and `n`."""

    def start(self, space: SearchSpace, *, seed: int) -> "RandomPoints":
        return RandomPoints(space, seed)


@dataclass(frozen=True, slots=True)
class RandomPoints:
    """The random search of one study."""

    space: SearchSpace
    seed: int

    def ask(self, number: int) -> Mapping[str, Value]:
        return random_point(self.space, number, seed=self.seed)

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        """Nothing to remember."""

    def tell(self, number: int, loss: float) -> None:
        """Nothing to learn."""

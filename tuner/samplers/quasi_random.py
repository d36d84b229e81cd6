"""Low-discrepancy points, the published protocol's search (Shallue et al. 2019; Bousquet et al. 2017)."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuner.experiment.sequences import halton_point
from tuner.experiment.space import SearchSpace
from tuner.trial import Value

__all__ = ["QuasiRandom"]


@dataclass(frozen=True, slots=True)
class QuasiRandom:
    """A scrambled Halton sequence on each parameter's own scale: even at any number of points.

    Point `n` depends on nothing but the study and `n`, so interruptions and more workers change nothing.
    """

    def start(self, space: SearchSpace, *, seed: int) -> "QuasiRandomPoints":
        return QuasiRandomPoints(space, seed)


@dataclass(frozen=True, slots=True)
class QuasiRandomPoints:
    """The quasi-random search of one study."""

    space: SearchSpace
    seed: int

    def ask(self, number: int) -> Mapping[str, Value]:
        return halton_point(self.space, number, seed=self.seed)

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        """Nothing to remember."""

    def tell(self, number: int, loss: float) -> None:
        """Nothing to learn."""

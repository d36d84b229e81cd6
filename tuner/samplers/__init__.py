"""Search algorithms. A sampler holds settings; `start` gives the state of one study's search."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from tuner.experiment.space import SearchSpace
from tuner.trial import Value


class Suggestions(Protocol):
    """The search of one study. Points depend on their numbers and on the results told before, never on time."""

    def ask(self, number: int) -> Mapping[str, Value]:
        """The point with this number. The point is pending until its loss is told."""
        ...

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        """Make point `number` pending again: it was asked for before the study was interrupted."""
        ...

    def tell(self, number: int, loss: float) -> None:
        """The loss of a pending point: a finite number, lower is better."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """A search algorithm and its settings."""

    def start(self, space: SearchSpace, *, seed: int) -> Suggestions:
        """Begin the search of a space."""
        ...

"""Search algorithms. A sampler holds settings; `start` gives the state of one study's search."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from tuner.experiment.space import SearchSpace
from tuner.trial import Value


class Suggestions(Protocol):
    """The search of one study. Answers depend on the numbers asked and what was told before, never on time."""

    def ask(self, number: int) -> Mapping[str, Value]:
        """The point with this number; it is pending until told."""
        ...

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        """Point `number` was asked for in an earlier life of the study and is pending again."""
        ...

    def tell(self, number: int, loss: float) -> None:
        """What a pending point came to: a finite number, lower is better."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """A search algorithm and its settings."""

    def start(self, space: SearchSpace, *, seed: int) -> Suggestions:
        """Begin the search of a space."""
        ...

"""Data sets, split and standardised."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Split:
    """Labelled examples.

    Attributes:
        inputs: `[example, feature]`, float32, on the CPU.
        labels: `[example]`, int64: the class of each, from 0.
    """

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Splits:
    """A data set: what is trained on, what the search sees, and what it never sees.

    Attributes:
        shape: Of one example before its features were put in a row: channels, height and width of an image.
    """

    train: Split
    validation: Split
    test: Split
    classes: int
    shape: tuple[int, ...]


@runtime_checkable
class Dataset(Protocol):
    """A data set's settings."""

    def load(self) -> Splits:
        """The data; read once in a process, however often it is asked for."""
        ...

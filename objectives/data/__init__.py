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
    """A data set in three parts: for training, for the search (validation), and for the final report (test).

    Attributes:
        classes: The number of classes.
        shape: The shape of one example before flattening: channels, height and width of an image.
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
        """The data. A process reads them once; later calls return the same object."""
        ...

"""Data sets, split and standardised; and what a data set of the user's may be before that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset


@dataclass(frozen=True, slots=True)
class Split:
    """Labelled examples.

    Attributes:
        inputs: `[example, feature]`, on the CPU: float32, or int64 for a model that takes whole numbers.
        labels: `[example]`, int64: the class of each, from 0. Without classes `[example, output]`, float32.
    """

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Splits:
    """A data set in three parts: for training, for the search (validation), and for the final report (test).

    Attributes:
        classes: The number of classes; without classes, how many numbers an example's label has.
        shape: The shape of one example before flattening: channels, height and width of an image.
    """

    train: Split
    validation: Split
    test: Split
    classes: int
    shape: tuple[int, ...]


Numbers: TypeAlias = NDArray[np.generic] | Tensor
"""An array of numpy or torch: any shape, any type of number."""
Labelled: TypeAlias = tuple[Numbers, Numbers] | Split | TorchDataset[tuple[object, object]]
"""Labelled examples: inputs `[example, ...]` and labels `[example]` or `[example, output]`, or pairs of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Unsplit:
    """Labelled examples, and how they are to be split.

    Attributes:
        examples: All of them, or those of `train` and of one or both of the other parts.
        validation: The share of them that is for the search.
        test: The share that is for the final report.
        seed: Of the random choice, which keeps the shares of classes.
    """

    examples: Labelled | Mapping[str, Labelled]
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0


Loaded: TypeAlias = Splits | Unsplit | Labelled | Mapping[str, Labelled]
"""What a data set may be. A mapping has `train`, and `validation` and `test` if there are such."""


@runtime_checkable
class Dataset(Protocol):
    """A data set's settings."""

    def load(self) -> Loaded:
        """The data. They are read once and kept, if the settings are frozen."""
        ...

"""Data sets, split and standardised; and what a data set of the user's may be before that."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset


@dataclass(frozen=True, slots=True)
class Split:
    """Labelled examples.

    Attributes:
        inputs: `[example, feature]`, on the CPU: float32, or int64 for a model that takes whole numbers. Images may be
            uint8, if `Splits.pixels` says how they become numbers.
        labels: `[example]`, int64: the class of each, from 0; or `[example, position]`, int64, of examples with a class
            at each position. Without classes `[example, output]`, float32.
    """

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class Augment(StrEnum):
    """How training images are changed at random, anew each time that they are trained on."""

    NONE = "none"
    CROP = "crop"
    FLIP = "flip"
    CROP_FLIP = "crop_flip"

    @property
    def crops(self) -> bool:
        """Whether a part of the image is cut out: of what is stored, or of the image in a frame of zeros."""
        return self in (Augment.CROP, Augment.CROP_FLIP)

    @property
    def flips(self) -> bool:
        """Whether every other image is mirrored, left to right."""
        return self in (Augment.FLIP, Augment.CROP_FLIP)


@dataclass(frozen=True, slots=True)
class Pixels:
    """How images of bytes become numbers, where they are used: the middle is cut out and standardised.

    Attributes:
        stored: Channels, height and width of a stored image.
        mean: Of each channel of the training images, from 0 to 255.
        deviation: Likewise.
        is_shuffled: Whether the training images are stored in a random order already, so that the first are as good a
            choice as any.
    """

    stored: tuple[int, int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    is_shuffled: bool = False


@dataclass(frozen=True, slots=True)
class Splits:
    """A data set in three parts: for training, for the search (validation), and for the final report (test).

    Attributes:
        classes: The number of classes; without classes, how many numbers an example's label has.
        shape: The shape of one example before flattening: channels, height and width of an image; the length of a text.
        pixels: How the inputs become numbers, if they are bytes.
        augment: How training images are changed at random.
    """

    train: Split
    validation: Split
    test: Split
    classes: int
    shape: tuple[int, ...]
    pixels: Pixels | None = None
    augment: Augment = Augment.NONE


Numbers: TypeAlias = NDArray[np.generic] | Tensor
"""An array of numpy or torch: any shape, any type of number."""
Labelled: TypeAlias = tuple[Numbers, Numbers] | Split | TorchDataset[tuple[object, object]]
"""Labelled examples: inputs `[example, ...]` and labels `[example]` or `[example, ...]`, or pairs of them."""


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

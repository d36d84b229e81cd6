"""Images and their labels in three parts: the validation images are drawn from those to train on, always the same."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from objectives.data import Pixels, Split, Splits
from objectives.data.cache.sharing import shared

LEVELS = 256
"""Of a pixel."""


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images and their classes.

    Attributes:
        images: `[example, ...]`, bytes.
        labels: `[example]`, whole numbers.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.integer]

    def at(self, rows: NDArray[np.int64]) -> "LabelledImages":
        return LabelledImages(self.images[rows], self.labels[rows])

    def split(self, inputs: torch.Tensor) -> Split:
        """The labels with these inputs, `[example, feature]`."""
        return Split(inputs, torch.tensor(self.labels, dtype=torch.int64))


def train_and_validation(given: LabelledImages, *, share: int) -> tuple[LabelledImages, LabelledImages]:
    """The images to train on, and one in `share` of all for validation. The choice is the same everywhere."""
    order = np.random.RandomState(0).permutation(len(given.images))  # this generator never changes
    validation, train = np.split(order, [len(given.images) // share])
    return given.at(train), given.at(validation)


def splits_of_bytes(given: LabelledImages, test: LabelledImages, *, share: int, classes: int) -> Splits:
    """Splits whose images stay bytes, which take a quarter of the memory and are standardised as they are used.

    Args:
        given: The images to train on and for validation, `[example, channel, row, column]`.
        test: Those of the test.
        share: One in so many is for validation.
        classes: Their number.
    """
    train, validation = train_and_validation(given, share=share)
    channels, height, width = given.images.shape[1:]
    counts = np.stack([counted(train.images[:, each]) for each in range(channels)])
    shape = channels, height, width
    return Splits(
        _split(train),
        _split(validation),
        _split(test),
        classes=classes,
        shape=shape,
        pixels=Pixels(shape, *moments(counts)),
    )


def _split(part: LabelledImages) -> Split:
    return part.split(shared(part.images.reshape(len(part.images), -1)))


def counted(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many of the pixels have each level, `[level]`."""
    # numpy would make whole numbers of eight bytes of them first
    return torch.bincount(torch.from_numpy(pixels.ravel()), minlength=LEVELS).numpy()


def moments(counts: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the deviation of pixels, exact, from how many there are of each level.

    A channel whose pixels are all the same has deviation 1, so that it can be divided by.

    >>> moments(np.array([[2] + [0] * 3 + [2] + [0] * 251]))
    ((2.0,), (2.0,))

    Args:
        counts: `[channel, level]`.
    """
    levels, many = np.arange(LEVELS), counts.sum(1)
    means = counts @ levels / many
    variances = (counts * (levels - means[:, None]) ** 2).sum(1) / many
    deviations = np.where(variances > 0, np.sqrt(variances), 1.0)
    return tuple(means.tolist()), tuple(deviations.tolist())

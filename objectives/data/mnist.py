"""MNIST and data sets in its format, from files in the IDX format (LeCun et al. 1998), compressed or not."""

import gzip
import os
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from objectives.data import Split, Splits
from objectives.data.cache.sharing import shared
from tuner.errors import ConfigError, Problem

__all__ = ["Mnist"]

VARIABLE = "TUNER_DATA"
UNSIGNED_BYTES = 8
"""The third byte of a file gives the type of its numbers. The fourth byte gives the number of dimensions."""


@dataclass(frozen=True, slots=True)
class Mnist:
    """Images of 28 x 28 pixels: 55,000 for training, 5,000 for validation, 10,000 for testing.

    Validation images are drawn from the training file; the choice is the same everywhere. Pixels are standardised by
    the mean and deviation of the training images.

    Attributes:
        folder: Where the four files are. By default `MNIST/raw` in the folder that `TUNER_DATA` names, or
            `FashionMNIST/raw`: where torchvision puts them.
        fashion: Whether it is Fashion-MNIST (Xiao et al. 2017).
    """

    folder: str = ""
    fashion: bool = False

    def load(self) -> Splits:
        """The data.

        Raises:
            ConfigError: A file is missing or not what its name says.
        """
        if self.folder:
            return _load(Path(self.folder).expanduser())
        root = os.environ.get(VARIABLE)
        if not root:
            raise _error(f"{VARIABLE} is not set; it names the folder of data sets, or give data.folder")
        return _load(Path(root) / ("FashionMNIST" if self.fashion else "MNIST") / "raw")


@cache
def _load(folder: Path) -> Splits:
    """A twelfth of the training file is for validation."""
    images, labels = _labelled(folder, "train")
    test_images, test_labels = _labelled(folder, "t10k")
    order = np.random.RandomState(0).permutation(len(images))  # this generator never changes
    validation, train = np.split(order, [len(images) // 12])
    pixels = images[train]
    mean, deviation = float(pixels.mean()), float(pixels.std())

    def split(chosen: NDArray[np.uint8], classes: NDArray[np.uint8]) -> Split:
        inputs = (chosen.reshape(len(chosen), -1).astype(np.float32) - np.float32(mean)) / np.float32(deviation)
        return Split(shared(inputs), torch.tensor(classes, dtype=torch.int64))

    return Splits(
        train=split(pixels, labels[train]),
        validation=split(images[validation], labels[validation]),
        test=split(test_images, test_labels),
        classes=int(labels.max()) + 1,
        shape=(1, *images.shape[1:]),
    )


def _labelled(folder: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images `[example, row, column]` and their labels `[example]`. Raises `ConfigError`."""
    images = _read(folder / f"{name}-images-idx3-ubyte", dimensions=3)
    labels = _read(folder / f"{name}-labels-idx1-ubyte", dimensions=1)
    if len(images) != len(labels):
        raise _error(f"{folder} has {len(images)} {name} images and {len(labels)} labels; they belong together")
    return images, labels


def _read(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The numbers of a file, or of the same file with `.gz` at its end. Raises `ConfigError`."""
    packed = path.with_name(f"{path.name}.gz")
    try:
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    except FileNotFoundError:
        raise _error(f"{path} is missing, with .gz or without; nothing is downloaded") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _error(f"{path} cannot be read: {error}") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
        raise _error(f"{path} is not an IDX file of bytes in {dimensions} dimensions")
    shape = np.frombuffer(content[4:start], dtype=">u4").astype(np.int64)
    if len(content) != start + shape.prod():
        raise _error(f"{path} has {len(content) - start} numbers, and should have {shape.prod()}: is it cut off?")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _error(message: str) -> ConfigError:
    return ConfigError([Problem("", message)])

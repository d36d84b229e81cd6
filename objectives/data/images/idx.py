"""Data sets in the format of MNIST: four files in the IDX format (LeCun et al. 1998), compressed or not."""

import gzip
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.data import Augment, Split, Splits
from objectives.data.cache.sharing import shared
from objectives.data.entry.refusals import refused
from objectives.data.images.locations import data_folder, packed, provide
from objectives.data.images.splitting import LabelledImages, train_and_validation

UNSIGNED_BYTES = 8
"""The third byte of a file gives the type of its numbers. The fourth byte gives the number of dimensions."""
SHARE = 12
"""One in so many images of the training file is for validation: 5,000 of 60,000."""
PARTS, KINDS = ("train", "t10k"), ("images-idx3-ubyte", "labels-idx1-ubyte")


def published(name: str, augment: Augment) -> Splits:
    """A data set of torchvision's. Its files are downloaded if they are missing.

    Args:
        name: Of torchvision's class, and so of the folder: `KMNIST`.
        augment: How training images are changed at random.

    Raises:
        ConfigError: A file is missing and cannot be downloaded, or is not what its name says.
    """
    root = data_folder()
    folder = root / name / "raw"
    files = [folder / f"{part}-{kind}" for part in PARTS for kind in KINDS]

    def download(into: str) -> None:
        from torchvision import datasets  # takes seconds

        getattr(datasets, name)(into, download=True)

    provide(name, files, root=root, download=download)
    return splits_in(folder, augment)


def splits_in(folder: Path, augment: Augment) -> Splits:
    """The splits of the four files in a folder. They are read once.

    Raises:
        ConfigError: A file is missing or not what its name says.
    """
    found = _read_all(folder)
    return found if augment is Augment.NONE else replace(found, augment=augment)


@cache
def _read_all(folder: Path) -> Splits:
    given, test = (_labelled(folder, part) for part in PARTS)
    train, validation = train_and_validation(given, share=SHARE)
    mean, deviation = float(train.images.mean()), float(train.images.std())

    def standardised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return (images.reshape(len(images), -1).astype(np.float32) - np.float32(mean)) / np.float32(deviation)

    def split(part: LabelledImages) -> Split:
        return part.split(shared(standardised(part.images)))

    return Splits(
        split(train),
        split(validation),
        split(test),
        classes=int(given.labels.max()) + 1,
        shape=(1, *given.images.shape[1:]),
    )


def _labelled(folder: Path, name: str) -> LabelledImages:
    """Images `[example, row, column]` and their labels `[example]`. Raises `ConfigError`."""
    images, labels = (_read(folder / f"{name}-{kind}", dimensions=int(kind[10])) for kind in KINDS)
    if len(images) != len(labels):
        raise refused(f"{folder} has {len(images)} {name} images and {len(labels)} labels; they belong together")
    return LabelledImages(images, labels)


def _read(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The numbers of a file, or of the same file with `.gz` at its end. Raises `ConfigError`."""
    compressed = packed(path)
    try:
        content = gzip.decompress(compressed.read_bytes()) if compressed.exists() else path.read_bytes()
    except FileNotFoundError:
        raise refused(f"{path} is missing, with .gz or without; give the folder of the four files") from None
    except (OSError, EOFError, zlib.error) as error:
        raise refused(f"{path} cannot be read: {error}") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
        raise refused(f"{path} is not an IDX file of bytes in {dimensions} dimensions")
    shape = np.frombuffer(content[4:start], dtype=">u4").astype(np.int64)
    if len(content) != start + shape.prod():
        raise refused(f"{path} has {len(content) - start} numbers, and should have {shape.prod()}: is it cut off?")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)

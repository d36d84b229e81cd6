"""CIFAR-10 and CIFAR-100 as torchvision's classes read them."""

import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.data import Augment, Splits
from objectives.data.entry.refusals import refused
from objectives.data.images.locations import data_folder, provide
from objectives.data.images.splitting import LabelledImages, splits_of_bytes

SHARE = 10
"""One in so many training images is for validation: 5,000 of 50,000."""


def published(name: str, augment: Augment) -> Splits:
    """A data set of torchvision's, which is read once. Its files are downloaded if they are missing.

    Args:
        name: Of torchvision's class: `CIFAR10`.
        augment: How training images are changed at random.

    Raises:
        ConfigError: A file is missing and cannot be downloaded, or is damaged.
    """
    found = _read(name, data_folder())
    return found if augment is Augment.NONE else replace(found, augment=augment)


@cache
def _read(name: str, root: Path) -> Splits:
    from torchvision import datasets  # takes seconds

    kind = getattr(datasets, name)
    folder = root / kind.base_folder
    sums = {folder / file: md5 for file, md5 in (*kind.train_list, *kind.test_list)}
    sums[folder / kind.meta["filename"]] = kind.meta["md5"]
    provide(name, list(sums), root=root, download=lambda into: kind(into, download=True))
    try:
        train, test = (kind(root, train=is_train) for is_train in (True, False))
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise _damaged(sums) or refused(f"{folder} cannot be read: {error}") from error
    given, tested = (LabelledImages(_channels_first(each.data), np.asarray(each.targets)) for each in (train, test))
    return splits_of_bytes(given, tested, share=SHARE, classes=len(train.classes))


def _damaged(sums: dict[Path, str]) -> Exception | None:
    """What is said of the first file whose checksum is not the published one."""
    from torchvision.datasets.utils import check_integrity  # takes seconds

    for path, md5 in sums.items():
        if not check_integrity(path, md5):
            return refused(f"{path} is damaged: its checksum is not {md5}; delete it, and it is downloaded again")
    return None


def _channels_first(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images `[example, channel, row, column]`."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))

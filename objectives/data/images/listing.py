"""The image files of a folder in the layout of ImageNet: a folder for each part, and in it one for each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from objectives.data.entry.parting import parted
from objectives.data.entry.refusals import refused

FOLDERS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
"""What the folders of the parts may be called."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Image files and their classes.

    Attributes:
        paths: From the folder of all images.
        labels: The class of each.
    """

    paths: list[str]
    labels: list[int]

    def at(self, rows: list[int]) -> "Listed":
        return Listed([self.paths[each] for each in rows], [self.labels[each] for each in rows])


def listed(folder: Path, shares: Mapping[str, float]) -> tuple[dict[str, Listed], int]:
    """The files of each part, those for training in a random order, and the number of classes.

    Args:
        folder: The folder of all images.
        shares: Of `validation` and `test`: how much of the training images they get, if they have no folder.

    Raises:
        ConfigError: There is no such folder, a class has no images, or a part cannot be made.
    """
    from torchvision.datasets.folder import find_classes  # takes seconds

    try:
        classes, numbers = find_classes(folder / "train")
    except OSError as error:
        raise refused(f"{folder} has no folder train with a folder of images for each class: {error}") from error
    parts = {}
    for part, names in FOLDERS.items():
        found = [each for each in names if _has_classes(folder / each)]
        if found:
            parts[part] = _files(folder, found[0], numbers)
    missing = {part: share for part, share in shares.items() if part not in parts}
    if missing:
        train = parts["train"]
        rows = parted(torch.tensor(train.labels), missing, seed=0)
        parts |= {part: train.at(each.tolist()) for part, each in rows.items()}
    order = np.random.RandomState(0).permutation(len(parts["train"].paths))  # this generator never changes
    return parts | {"train": parts["train"].at(order.tolist())}, len(classes)


def _has_classes(folder: Path) -> bool:
    """Whether a folder has folders: ImageNet's test images have no classes."""
    return folder.is_dir() and any(each.is_dir() for each in folder.iterdir())


def _files(folder: Path, part: str, numbers: dict[str, int]) -> Listed:
    from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

    foreign = set(find_classes(folder / part)[0]) - set(numbers)
    if foreign:
        raise refused(f"{folder / part / min(foreign)} is a class that train does not have; every class is trained on")
    try:
        found = make_dataset(folder / part, numbers, IMG_EXTENSIONS, allow_empty=part != "train")
    except FileNotFoundError as error:
        raise refused(f"{folder / part}: {error}".rstrip(". ")) from error
    return Listed([str(Path(path).relative_to(folder)) for path, _ in found], [label for _, label in found])

"""A folder of image files in the layout of ImageNet (Deng et al. 2009): `train/<class>/*`, `val/<class>/*`."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge

from objectives.data import Augment, Pixels, Split, Splits
from objectives.data.images.decoding import Source, decoded
from objectives.data.images.listing import listed
from objectives.data.images.splitting import moments
from tuner.experiment.limits.numbers import Share, Within

__all__ = ["ImageFolder"]

Side = Annotated[int, Ge(8), Within(2048)]
"""Of an image, in pixels."""


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Images in colours. They are decoded once, and kept as bytes in a file that may be larger than the memory.

    The shorter side of an image is resized to 8/7 of `size`, and the square in its middle is kept: 256 x 256 pixels for
    a size of 224. What is measured is the middle of it, and so is what is trained on, unless it is cut out at random.

    Attributes:
        folder: Has the folder `train`. In it is a folder for each class; so it is in `val` and `test`, if there are
            such.
        size: Height and width of an image as the model sees it.
        validation: The share of the training images that is for the search, if there is no `val` with classes.
        test: The share that is for the final report, if there is no `test` with classes.
        augment: How training images are changed at random.
    """

    folder: str
    size: Side = 224
    validation: Share = 0.1
    test: Share = 0.1
    augment: Augment = Augment.NONE

    def load(self) -> Splits:
        """The data.

        Raises:
            ConfigError: There is no such folder, or an image cannot be read.
        """
        found = _load(Path(self.folder).expanduser().resolve(), self.size, self.validation, self.test)
        return replace(found, augment=self.augment)


@cache
def _load(folder: Path, size: int, validation: float, test: float) -> Splits:
    parts, classes = listed(folder, {"validation": validation, "test": test})
    side = -(-size * 8 // 7)
    in_order = parts["train"], parts["validation"], parts["test"]
    paths = [path for each in in_order for path in each.paths]
    sources = sorted((Source(path, place) for place, path in enumerate(paths)), key=lambda each: each.path)
    found = decoded(folder, sources, side=side, counted=len(parts["train"].paths))
    labels = [torch.tensor(each.labels) for each in in_order]
    inputs = torch.split(found.pixels, [len(each) for each in labels])
    splits = [Split(*each) for each in zip(inputs, labels, strict=True)]
    pixels = Pixels((3, side, side), *moments(found.counts), is_shuffled=True)
    return Splits(splits[0], splits[1], splits[2], classes=classes, shape=(3, size, size), pixels=pixels)

"""What is said of images has to fit to them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from objectives.data import Augment, Pixels, Split, Splits
from tests.objectives.data.entry.test_splits import loaded
from tuner.errors import ConfigError

BYTES = torch.randint(256, (60, 3 * 6 * 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
SPLIT = Split(BYTES, torch.arange(60) % 3)
PIXELS = Pixels((3, 6, 6), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
SPLITS = Splits(SPLIT, SPLIT, SPLIT, classes=3, shape=(3, 4, 4), pixels=PIXELS, augment=Augment.CROP)


def test_images_stay_bytes_and_are_not_copied() -> None:
    found = loaded(SPLITS)

    assert found.train.inputs.data_ptr() == BYTES.data_ptr()
    assert found.train.inputs.dtype == torch.uint8
    assert (found.pixels, found.augment, found.shape) == (PIXELS, Augment.CROP, (3, 4, 4))


def test_images_that_are_numbers_may_be_changed_at_random_too() -> None:
    floats = Split(BYTES.float(), SPLIT.labels)

    found = loaded(Splits(floats, floats, floats, classes=3, shape=(3, 6, 6), augment=Augment.FLIP))

    assert found.augment is Augment.FLIP


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": (36,), "pixels": None}, r"shape is \[36\], and the inputs are"),
        ({"shape": (4, 4)}, r"augment is for images \[channel, height, width\], and the shape is \[4, 4\]"),
        ({"shape": (4, 4), "augment": Augment.NONE}, r"shape is \[4, 4\], which cannot be cut out of pixels.stored"),
        ({"shape": (3, 7, 6)}, r"shape is \[3, 7, 6\], which cannot be cut out of pixels.stored \[3, 6, 6\]"),
        ({"shape": (1, 4, 4)}, r"shape is \[1, 4, 4\], which cannot be cut out"),
        ({"pixels": replace(PIXELS, stored=(3, 6, 7))}, r"have 108 bytes each, and pixels.stored is \[3, 6, 7\]"),
        ({"pixels": replace(PIXELS, mean=(1.0,))}, "need a mean and a deviation above 0 for each of 3 channels"),
        ({"pixels": replace(PIXELS, deviation=(1.0, 0.0, 1.0))}, "need a mean and a deviation above 0"),
        ({"train": Split(BYTES.float(), SPLIT.labels)}, "train inputs are not a uint8 tensor"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(replace(SPLITS, **changed))  # type: ignore[arg-type]


def test_points_are_not_changed_as_images_are() -> None:
    points = Split(torch.zeros(60, 4), SPLIT.labels)

    with pytest.raises(ConfigError, match=r"augment is for images .*, and the shape is \[4\]"):
        loaded(Splits(points, points, points, classes=3, shape=(4,), augment=Augment.FLIP))


def test_an_array_of_bytes_without_pixels_becomes_numbers() -> None:
    found = loaded((np.arange(120, dtype=np.uint8).reshape(60, 2), SPLIT.labels))

    assert found.train.inputs.dtype == torch.float32

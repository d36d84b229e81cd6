"""Images that stay bytes until they are used, and images that are changed at random: what has to hold for them."""

import math

import torch
from torch import Tensor

from objectives.data import Augment, Pixels, Splits
from objectives.data.entry.refusals import refused


def bytes_of(given: object, what: str, pixels: Pixels) -> Tensor:
    """Inputs `[example, byte]` that `pixels` describes. They are not copied: they may be more than memory holds.

    Args:
        given: The inputs.
        what: What messages call them: `train inputs`.
        pixels: What they are said to be.

    Raises:
        ConfigError: They are something else.
    """
    if not isinstance(given, Tensor) or given.dtype != torch.uint8 or given.ndim < 2:
        raise refused(f"{what} are not a uint8 tensor [example, byte]; give one, or leave pixels out")
    if given[0].numel() != math.prod(pixels.stored):
        raise refused(f"{what} have {given[0].numel()} bytes each, and pixels.stored is {list(pixels.stored)}")
    return given


def check_images(splits: Splits) -> None:
    """Check that what is said of images fits to their shape.

    Raises:
        ConfigError: It does not.
    """
    shape, pixels = splits.shape, splits.pixels
    if splits.augment is not Augment.NONE and len(shape) != 3:
        raise refused(f"augment is for images [channel, height, width], and the shape is {list(shape)}")
    if pixels is None:
        return
    fits = len(shape) == 3 and shape[0] == pixels.stored[0]
    if not fits or any(side > stored for side, stored in zip(shape, pixels.stored, strict=True)):
        raise refused(f"shape is {list(shape)}, which cannot be cut out of pixels.stored {list(pixels.stored)}")
    if not len(pixels.mean) == len(pixels.deviation) == shape[0] or not all(each > 0 for each in pixels.deviation):
        raise refused(f"pixels need a mean and a deviation above 0 for each of {shape[0]} channels")

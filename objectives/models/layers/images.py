"""What models of images share: the check of an example's shape, and layers without parameters."""

import torch
from torch import Tensor, nn


def size_of_images(shape: tuple[int, ...], *, least: int, model: str) -> tuple[int, int, int]:
    """Channels, height and width of images of this shape.

    Args:
        shape: Of one example.
        least: Pixels that height and width must have.
        model: Who needs them; for the message.

    Raises:
        ValueError: The examples are no images, or smaller.
    """
    if len(shape) != 3 or min(shape[1:]) < least:
        raise ValueError(f"{model} needs images of at least {least} x {least} pixels, not examples of shape {shape}")
    channels, height, width = shape
    return channels, height, width


class ChannelsLast(nn.Module):
    """Passes images on with their channels innermost in memory."""

    def forward(self, images: Tensor) -> Tensor:
        return images.to(memory_format=torch.channels_last)


class GlobalAverage(nn.Module):
    """The mean of each channel over all pixels: `[example, channel, height, width]` to `[example, channel]`."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))

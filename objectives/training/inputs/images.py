"""Images as networks take them: cut out of what is stored, standardised, and mirrored."""

import torch
from torch import Tensor
from torch.nn import functional

from objectives.data import Augment, Pixels
from objectives.training.draws import Purpose, uniforms

PADDING = 4
"""Zeros on each side of an image, if nothing is stored around what is used (He et al. 2016, section 4.2)."""
NUMBERS = 3
"""Random numbers of an example: where it is cut out from the top and from the left, and whether it is mirrored."""


class Images:
    """What is stored of images, made into inputs on a device.

    Args:
        shape: Channels, height and width of an input.
        pixels: What bytes mean; None if what is stored are numbers of this shape.
        augment: How images are changed at random, where numbers are drawn for it.
        device: Where the images are.
        dtype: Of the inputs.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        pixels: Pixels | None,
        *,
        augment: Augment,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._shape, self._augment, self._dtype = shape, augment, dtype
        self._stored = shape if pixels is None else pixels.stored
        self._moments: tuple[Tensor, Tensor] | None = None
        if pixels is not None:
            mean, deviation = torch.tensor([pixels.mean, pixels.deviation], device=device, dtype=dtype).view(
                2, -1, 1, 1
            )
            self._moments = mean, deviation
        self._margins = tuple(stored - side for stored, side in zip(self._stored[1:], shape[1:], strict=True))

    def middle(self, stored: Tensor) -> Tensor:
        """The inputs of images as they are measured: standardised, and the middle of what is stored.

        Args:
            stored: `[..., number]`.

        Returns:
            `[..., feature]`.
        """
        return self._standardised(self._cut_middle(stored)).reshape(*stored.shape[:-1], -1)

    def changed(self, stored: Tensor, numbers: Tensor) -> Tensor:
        """The inputs of images as they are trained on: changed at random.

        Args:
            stored: `[example, number]`.
            numbers: From 0 to 1, `[example, 3]`, as `random_numbers` gives them.

        Returns:
            `[example, feature]`.
        """
        is_padded = self._augment.crops and not any(self._margins)
        images = stored.view(-1, *self._stored)
        if is_padded:
            images = functional.pad(self._standardised(images), [PADDING] * 4)
        images = self._cut(images, numbers) if self._augment.crops else self._cut_middle(stored)
        if self._augment.flips:
            images = torch.where((numbers[:, 2] < 0.5).view(-1, 1, 1, 1), images.flip(-1), images)
        # Bytes become numbers last: until then a copy takes a quarter of the memory.
        return (images if is_padded else self._standardised(images)).flatten(1)

    def _cut_middle(self, stored: Tensor) -> Tensor:
        """The middle of what is stored, `[example, channel, row, column]`."""
        top, left = (each // 2 for each in self._margins)
        images = stored.view(-1, *self._stored)
        return images[:, :, top : top + self._shape[1], left : left + self._shape[2]]

    def _cut(self, images: Tensor, numbers: Tensor) -> Tensor:
        """A part of the input's size out of each image `[example, channel, row, column]`; all parts are as likely."""
        _, height, width = self._shape
        windows = images.unfold(2, height, 1).unfold(3, width, 1)  # [example, channel, top, left, row, column]
        top, left = ((numbers[:, each] * windows.shape[2 + each]).long() for each in (0, 1))
        return windows[torch.arange(len(images), device=images.device), :, top, left]

    def _standardised(self, images: Tensor) -> Tensor:
        if self._moments is None:
            return images
        mean, deviation = self._moments
        return images.to(self._dtype).sub_(mean).div_(deviation)


def random_numbers(seeds: Tensor, examples: int) -> Tensor:
    """The random numbers of the examples of some minibatches, `[..., example, 3]`.

    Args:
        seeds: Of steps of trials, `[...]`, as `step_seeds` gives them.
        examples: Of a minibatch.
    """
    return uniforms(seeds, NUMBERS * examples, Purpose.AUGMENTATION).view(*seeds.shape, examples, NUMBERS)

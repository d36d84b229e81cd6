"""The examples of a split: whatever holds them, what is taken of them are inputs and labels on the device."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from objectives.data import Augment, Split, Splits
from objectives.training.devices.memory import moved, sent
from objectives.training.inputs.images import Images

RESIDENT = 2**32
"""Bytes of images of a split, up to which they are kept on an accelerator. If there are more, they stay on the host."""
AT_ONCE = 2**24
"""Numbers of inputs that are made at once, at most: 64 MiB. An example is always made as a whole."""

IN_CACHE = 2**18
"""Numbers of inputs that a CPU makes of images at a time, so that they stay in its cache: 1 MiB."""

Rows = Tensor | slice


class Examples:
    """The examples of a split, taken by their numbers.

    Numbers are kept on the device as they are. Images that are bytes are standardised as they are taken, and more of
    them than a device holds are read on the host each time, where they may be a file that is mapped into memory.

    Attributes:
        labels: `[example, ...]`, at `home`.
        home: Where numbers of examples have to be: on the device, or on the host if the images are there.
        device: Where inputs are.
        features: Numbers of an input.
        is_augmented: Whether `gather` takes random numbers.

    Args:
        split: The examples.
        splits: Says what their inputs are.
        device: Where inputs are wanted.
        dtype: Of inputs that are not whole numbers.
        order: The examples that are meant, in this order, `[example]`; by default all of the split.
        most_resident: Bytes of images that are kept on an accelerator.
    """

    def __init__(
        self,
        split: Split,
        splits: Splits,
        *,
        device: torch.device,
        dtype: torch.dtype,
        order: Tensor | None = None,
        most_resident: int = RESIDENT,
    ) -> None:
        stored, labels = split.inputs, split.labels if order is None else split.labels[order]
        is_bytes = splits.pixels is not None
        stays = is_bytes and device.type != "cpu" and stored.nbytes > most_resident
        self.device, self.home = device, torch.device("cpu") if stays else device
        if order is not None and not is_bytes:  # images may be too many for a copy
            stored, order = stored[order], None
        self._order = None if order is None else order.to(self.home)
        self._stored = moved(stored, self.home, dtype)
        self.labels = moved(labels, self.home, dtype)
        self.is_augmented, self.features = splits.augment is not Augment.NONE, math.prod(splits.shape)
        self._is_plain = not is_bytes
        self._images = _images(splits, device, dtype) if is_bytes or self.is_augmented else None
        # A buffer, since fresh memory of this size costs ten times the copying.
        self._gathered = torch.empty(0, self.features, dtype=dtype if is_bytes else self._stored.dtype, device=device)

    def __len__(self) -> int:
        return len(self.labels)

    def at_once(self, most: int) -> int:
        """How many examples' inputs should be made at once, if many are wanted.

        Args:
            most: So many at most.
        """
        return max(1, min(most, AT_ONCE // self.features))

    def blocks(self, most: int) -> Iterator[slice]:
        """All examples, in slices of `most` at most, whose inputs are made at once."""
        size = self.at_once(most)
        return (slice(start, start + size) for start in range(0, len(self), size))

    def inputs(self, rows: Rows) -> Tensor:
        """The inputs of some examples as they are measured, `[..., feature]`, on the device.

        Args:
            rows: Their numbers, `[...]`, at `home`.
        """
        return self.made(self.given(rows))

    def targets(self, rows: Rows) -> Tensor:
        """The labels of some examples, on the device. Takes numbers as `inputs` does."""
        return self._arrived(self.labels[rows])

    def given(self, rows: Rows) -> Tensor:
        """What is stored of some examples, on the device: `[..., number]`."""
        return self._arrived(self._stored[rows if self._order is None else self._order[rows]])

    def made(self, given: Tensor) -> Tensor:
        """The inputs of what `given` gives, by the device alone."""
        return given if self._is_plain or self._images is None else self._images.middle(given)

    def gather(self, rows: Tensor, numbers: Tensor | None) -> tuple[Tensor, Tensor]:
        """The inputs of some examples as they are trained on, `[example, feature]`, and their labels.

        The inputs may be a buffer that the next call overwrites.

        Args:
            rows: Their numbers, `[example]`, at `home`.
            numbers: For random changes, `[example, 3]`, on the device, as `objectives.training.inputs.images` has them;
                None if nothing is changed.
        """
        if len(self._gathered) < len(rows):
            self._gathered = self._gathered.new_empty(len(rows), self.features)
        inputs, labels = self._gathered[: len(rows)], self._arrived(self.labels.index_select(0, rows))
        if self._images is None:
            return torch.index_select(self._stored, 0, rows, out=inputs), labels
        size = max(1, IN_CACHE // self.features) if self.device.type == "cpu" else len(rows)
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            given = self._arrived(self._stored.index_select(0, rows[block]))
            inputs[block] = self.made(given) if numbers is None else self._images.changed(given, numbers[block])
        return inputs, labels

    def _arrived(self, found: Tensor) -> Tensor:
        """What was found at `home`, on the device."""
        return found if self.home == self.device else sent(found, self.device)


def _images(splits: Splits, device: torch.device, dtype: torch.dtype) -> Images:
    channels, height, width = splits.shape
    return Images((channels, height, width), splits.pixels, augment=splits.augment, device=device, dtype=dtype)

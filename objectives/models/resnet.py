"""Residual networks for CIFAR (He et al. 2016a, arXiv 1512.03385, Section 4.2), with batch norm by choice."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from torch import nn

from objectives.models.layers.images import GlobalAverage, size_of_images
from objectives.models.layers.initialisation import he_convolutions
from objectives.models.layers.norms import GhostSize, Norm, norm_of_images
from objectives.models.layers.residual import STAGES, Residual, convolution, identity
from tuner.experiment.limits.numbers import Within

__all__ = ["ResNet"]


class Shortcut(StrEnum):
    """What passes a block in which the size changes: the inputs, padded with zeros, or a convolution 1x1 of them."""

    IDENTITY = "identity"
    PROJECTION = "projection"


@dataclass(frozen=True, slots=True)
class ResNet:
    """A convolution, three stages of `(depth - 2) / 6` blocks of two convolutions each, and an output layer.

    Convolutions are drawn as in He et al. 2015, by their number of outputs as in the code that Hoffer et al. released
    (`bigBatch`, `models/resnet.py`).

    Attributes:
        depth: Layers with weights: 20, 32, 44, 56, 110, or any other 6 n + 2. Hoffer et al. 2017 train 44.
        norm: The layer after each convolution. Without one, convolutions have biases.
        ghost_size: Examples that ghost batch norm normalises together; 128 in Hoffer et al.
        shortcut: `identity` is that of He et al. (option A), who use it for CIFAR in all cases; `projection` (option B)
            is in the code of Hoffer et al.
    """

    depth: Annotated[int, Within(1202, least=8)] = 20
    norm: Norm = Norm.BATCH
    ghost_size: GhostSize = 128
    shortcut: Shortcut = Shortcut.IDENTITY

    def __post_init__(self) -> None:
        if self.depth < 8 or self.depth % 6 != 2:
            below = max(self.depth - 2, 6) // 6 * 6 + 2
            raise ValueError(f"depth is {self.depth}; it must be 6 n + 2, such as {below} or {below + 6}")

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for images of `shape`, channels first. Raises `ValueError` if the examples are no such images."""
        channels, _, _ = size_of_images(shape, least=4, model="resnet")
        layers: list[nn.Module] = [*self._convolution(channels, STAGES[0]), nn.ReLU()]
        below = STAGES[0]
        for filters in STAGES:
            for _ in range((self.depth - 2) // 6):
                layers += self._block(below, filters, stride=1 if filters == below else 2)
                below = filters
        return he_convolutions(nn.Sequential(*layers, GlobalAverage(), nn.Linear(below, classes)))

    def _block(self, inputs: int, outputs: int, *, stride: int) -> list[nn.Module]:
        branch = nn.Sequential(
            *self._convolution(inputs, outputs, stride=stride), nn.ReLU(), *self._convolution(outputs, outputs)
        )
        return [Residual(branch, self._around(inputs, outputs, stride)), nn.ReLU()]

    def _convolution(self, inputs: int, outputs: int, *, stride: int = 1) -> list[nn.Module]:
        return [convolution(inputs, outputs, stride=stride, biases=self._biases), *self._normalised(outputs)]

    def _around(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        """The shortcut of a block."""
        if inputs == outputs or self.shortcut is Shortcut.IDENTITY:
            return identity(inputs, outputs, stride)
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=self._biases), *self._normalised(outputs))

    def _normalised(self, channels: int) -> list[nn.Module]:
        return norm_of_images(self.norm, channels, self.ghost_size)

    @property
    def _biases(self) -> bool:
        return self.norm is Norm.NONE

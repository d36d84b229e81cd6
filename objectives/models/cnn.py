"""The Simple CNN of Shallue et al. 2019: two convolutions and a dense layer; with batch norm, by choice."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from objectives.models.layers.dense import Dense
from objectives.models.layers.ghosts import GhostBatchNorm

__all__ = ["Cnn"]


class Size(StrEnum):
    """The widths of the layers: half those of the paper's base network, the same, or twice."""

    NARROW = "narrow"
    BASE = "base"
    WIDE = "wide"


class Norm(StrEnum):
    """The layer after a convolution: none, batch norm of the minibatch, or batch norm of ghost batches."""

    NONE = "none"
    BATCH = "batch"
    GHOST = "ghost"


_HALVES = {Size.NARROW: 1, Size.BASE: 2, Size.WIDE: 4}


@dataclass(frozen=True, slots=True)
class Cnn:
    """Convolutions 5x5 with 32 and 64 channels, each followed by max-pooling, a dense layer of 1,024, an output layer.

    Attributes:
        size: `narrow` halves the widths, `wide` doubles them.
        dropout: The chance that a unit of the dense layer is dropped in training.
        norm: The layer after each convolution.
        ghost_size: Examples that ghost batch norm normalises together.
        channels_last: Whether images are kept with their channels innermost. On a CPU that makes steps up to a quarter
            faster from batch size 64 on, and hardly matters below.
    """

    size: Size = Size.BASE
    dropout: float = 0.4
    norm: Norm = Norm.NONE
    ghost_size: Annotated[int, Ge(2)] = 32
    channels_last: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and below 1")

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for images of `shape`, channels first.

        Raises:
            ValueError: The examples are no images, or too small to be pooled twice.
        """
        if len(shape) != 3 or min(shape[1:]) < 4:
            raise ValueError(f"cnn needs images of at least 4 x 4 pixels, not examples of shape {shape}")
        channels, height, width = shape
        first, second, dense = (16 * _HALVES[self.size] * factor for factor in (1, 2, 32))
        # Pooling before the ReLU gives the same numbers for a quarter of the work: both are monotone.
        layers = nn.Sequential(
            nn.Conv2d(channels, first, 5, padding=2),
            *self._normalised(first),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(first, second, 5, padding=2),
            *self._normalised(second),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            Dense(second * (height // 4) * (width // 4), dense),
            nn.ReLU(),
            nn.Dropout(self.dropout),
            nn.Linear(dense, classes),
        )
        return nn.Sequential(ChannelsLast(), *layers) if self.channels_last else layers

    def _normalised(self, channels: int) -> list[nn.Module]:
        """The layer after a convolution, if any."""
        if self.norm is Norm.NONE:
            return []
        return [GhostBatchNorm(channels, self.ghost_size) if self.norm is Norm.GHOST else nn.BatchNorm2d(channels)]


class ChannelsLast(nn.Module):
    """Passes images on with their channels innermost in memory."""

    def forward(self, images: Tensor) -> Tensor:
        return images.to(memory_format=torch.channels_last)

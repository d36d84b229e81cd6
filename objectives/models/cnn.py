"""The Simple CNN of Shallue et al. 2019: two convolutions and a dense layer; with batch norm, by choice."""

from dataclasses import dataclass
from enum import StrEnum

from torch import nn

from objectives.models.layers.dense import Dense
from objectives.models.layers.dropout import Dropout, Rate, check_rate
from objectives.models.layers.images import ChannelsLast, size_of_images
from objectives.models.layers.norms import GhostSize, Norm, norm_of_images

__all__ = ["Cnn"]


class Size(StrEnum):
    """The widths of the layers: half those of the paper's base network, the same, or twice."""

    NARROW = "narrow"
    BASE = "base"
    WIDE = "wide"


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
    dropout: Rate = 0.4
    norm: Norm = Norm.NONE
    ghost_size: GhostSize = 32
    channels_last: bool = True

    def __post_init__(self) -> None:
        check_rate(self.dropout)

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for images of `shape`, channels first.

        Raises:
            ValueError: The examples are no images, or too small to be pooled twice.
        """
        channels, height, width = size_of_images(shape, least=4, model="cnn")
        first, second, dense = (16 * _HALVES[self.size] * factor for factor in (1, 2, 32))
        # Pooling before the ReLU gives the same numbers for a quarter of the work: both are monotone.
        layers = nn.Sequential(
            nn.Conv2d(channels, first, 5, padding=2),
            *norm_of_images(self.norm, first, self.ghost_size),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(first, second, 5, padding=2),
            *norm_of_images(self.norm, second, self.ghost_size),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            Dense(second * (height // 4) * (width // 4), dense),
            nn.ReLU(),
            Dropout(self.dropout),
            nn.Linear(dense, classes),
        )
        return nn.Sequential(ChannelsLast(), *layers) if self.channels_last else layers

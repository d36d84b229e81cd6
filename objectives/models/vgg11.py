"""VGG-11 (Simonyan and Zisserman 2015, arXiv 1409.1556, Table 1, configuration A), with batch norm by choice."""

from dataclasses import dataclass
from typing import Annotated

from torch import nn

from objectives.models.layers.dense import Dense, check_widths
from objectives.models.layers.dropout import Dropout, Rate, check_rate
from objectives.models.layers.images import size_of_images
from objectives.models.layers.initialisation import he_convolutions, small_dense
from objectives.models.layers.norms import GhostSize, Norm, norm_of_images
from tuner.experiment.limits.numbers import LAYERS, Units

__all__ = ["Vgg11"]

STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Filters of the convolutions between two poolings."""


@dataclass(frozen=True, slots=True)
class Vgg11:
    """Eight convolutions 3x3 with ReLU, pooled five times, and dense layers.

    The paper's network for ImageNet has `hidden = [4096, 4096]` and dropout of 0.5. The usual form for CIFAR, which is
    the default, has an output layer alone, since its images end as one pixel. Not verified: that this is the form of
    Zhang et al. 2019 (arXiv 1907.04164). Parameters are drawn as torchvision and the code that Keskar et al. released
    (`large-batch-training`, `PyTorch/vgg.py`) draw them: convolutions as in He et al. 2015, dense layers normal with a
    standard deviation of 0.01, biases zero.

    Attributes:
        norm: The layer after each convolution.
        ghost_size: Examples that ghost batch norm normalises together.
        hidden: Units of each dense layer before the output layer.
        dropout: The chance that a unit of these layers is dropped in training.
    """

    norm: Norm = Norm.BATCH
    ghost_size: GhostSize = 32
    hidden: Annotated[tuple[Units, ...], LAYERS] = ()
    dropout: Rate = 0.5

    def __post_init__(self) -> None:
        check_widths(self.hidden)
        check_rate(self.dropout)

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for images of `shape`, channels first.

        Raises:
            ValueError: The examples are no images, or too small to be pooled five times.
        """
        below, height, width = size_of_images(shape, least=32, model="vgg11")
        layers: list[nn.Module] = []
        for stage in STAGES:
            for filters in stage:
                norm = norm_of_images(self.norm, filters, self.ghost_size)
                layers += [nn.Conv2d(below, filters, 3, padding=1), *norm, nn.ReLU()]
                below = filters
            layers.append(nn.MaxPool2d(2))
        layers.append(nn.Flatten())
        below *= (height // 32) * (width // 32)
        for units in self.hidden:
            layers += [Dense(below, units), nn.ReLU(), Dropout(self.dropout)]
            below = units
        return small_dense(he_convolutions(nn.Sequential(*layers, nn.Linear(below, classes))))

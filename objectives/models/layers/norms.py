"""The layer that models put behind a convolution or a dense layer, by choice: batch norm, ghost batch norm or none."""

from enum import StrEnum
from typing import Annotated

from annotated_types import Ge
from torch import nn

from objectives.models.layers.ghosts import GhostBatchNorm
from tuner.experiment.limits.numbers import Count

GhostSize = Annotated[Count, Ge(2)]
"""Examples that ghost batch norm normalises together."""


class Norm(StrEnum):
    """What is normalised together: nothing, the examples of a minibatch, or those of each ghost batch."""

    NONE = "none"
    BATCH = "batch"
    GHOST = "ghost"


def norm_of_images(norm: Norm, channels: int, ghost_size: int) -> list[nn.Module]:
    """The layer for `[example, channel, height, width]`, in a list that is empty if there is none."""
    return _layers(norm, nn.BatchNorm2d, channels, ghost_size)


def norm_of_features(norm: Norm, features: int, ghost_size: int) -> list[nn.Module]:
    """The layer for `[example, feature]`, in a list that is empty if there is none."""
    return _layers(norm, nn.BatchNorm1d, features, ghost_size)


def _layers(
    norm: Norm, ordinary: type[nn.BatchNorm1d | nn.BatchNorm2d], channels: int, ghost_size: int
) -> list[nn.Module]:
    match norm:
        case Norm.NONE:
            return []
        case Norm.BATCH:
            return [ordinary(channels)]
        case Norm.GHOST:
            return [GhostBatchNorm(channels, ghost_size)]

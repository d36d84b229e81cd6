"""Fully connected layers as a torch module, with batch norm and dropout by choice."""

import math
from dataclasses import dataclass
from typing import Annotated

from torch import nn

from objectives.models.layers.dense import Dense, check_widths
from objectives.models.layers.dropout import Dropout, Rate, check_rate
from objectives.models.layers.norms import GhostSize, Norm, norm_of_features
from tuner.experiment.limits.numbers import LAYERS, Units

__all__ = ["FullyConnected"]


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """Fully connected layers, each followed by the norm, ReLU and dropout; then an output layer.

    Without norm and dropout, `mlp` is the same network and faster. Parameters are drawn as torch draws them: uniform,
    at most one over the square root of the inputs.

    Attributes:
        hidden: Units of each hidden layer.
        norm: The layer after each hidden layer.
        ghost_size: Examples that ghost batch norm normalises together.
        dropout: The chance that a unit of a hidden layer is dropped in training.
    """

    hidden: Annotated[tuple[Units, ...], LAYERS] = (128,)
    norm: Norm = Norm.NONE
    ghost_size: GhostSize = 32
    dropout: Rate = 0.0

    def __post_init__(self) -> None:
        check_widths(self.hidden)
        check_rate(self.dropout)

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for examples of any shape."""
        layers: list[nn.Module] = [nn.Flatten()]
        below = math.prod(shape)
        for width in self.hidden:
            norm = norm_of_features(self.norm, width, self.ghost_size)
            layers += [Dense(below, width), *norm, nn.ReLU(), Dropout(self.dropout)]
            below = width
        return nn.Sequential(*layers, nn.Linear(below, classes))

"""The model of the experiment beside this file. Replace it by one of your own."""

import math
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class TwoLayers:
    """A network with one hidden layer. The fields are keys of `model` in the experiment's file."""

    width: int = 64

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for examples of this shape; tuner trains it."""
        inputs = math.prod(shape)
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, self.width), nn.ReLU(), nn.Linear(self.width, classes))

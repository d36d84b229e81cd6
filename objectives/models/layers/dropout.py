"""Dropout (Srivastava et al. 2014) whose rate can be a hyperparameter of each lane."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.experiment.limits.numbers import Within

Rate = Annotated[float, Within(1.0, least=0.0)]
"""The chance that a unit is dropped, from 0 on and below 1."""


class Dropout(nn.Module):
    """`torch.nn.Dropout`, with a rate that may be set before each call, for the lane that is trained next.

    Attributes:
        rate: The chance that a unit is dropped. A float draws the numbers that `nn.Dropout` draws. A tensor without
            dimensions, at least 0 and below 1 and on the device of the inputs, is read on the device alone. So its
            value may change between replays of a recorded step. It is neither a parameter nor a buffer.

    Raises:
        ValueError: The rate is not at least 0 and below 1.
    """

    rate: float | Tensor

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        check_rate(rate)
        self.rate = rate

    def forward(self, input: Tensor) -> Tensor:
        if not isinstance(self.rate, Tensor):
            return functional.dropout(input, self.rate, self.training)
        return _dropped(input, self.rate) if self.training else input

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def check_rate(rate: float) -> None:
    """Raises `ValueError` if a rate of dropout is not at least 0 and below 1."""
    if not 0 <= rate < 1:
        raise ValueError(f"dropout is {rate}; it must be at least 0 and below 1")


def with_dropouts(module: nn.Module) -> nn.Module:
    """The module, with `Dropout` of the same rate in place of each `nn.Dropout`. It is changed in place.

    Layers that drop whole channels or blocks stay what they are.
    """
    for path, each in list(module.named_modules(remove_duplicate=False)):
        if type(each) is nn.Dropout:  # not a user's own kind of it
            dropout = Dropout(each.p).train(each.training)
            if not path:
                return dropout
            module.set_submodule(path, dropout)
    return module


def _dropped(inputs: Tensor, rate: Tensor) -> Tensor:
    """Inputs of which a share is set to zero; the others grow so that the mean stays."""
    # In float32 also if the inputs are bfloat16, whose random numbers would have 8 bits.
    drawn = torch.rand(inputs.shape, device=inputs.device, dtype=torch.float32)
    return inputs * ((drawn >= rate) / (1 - rate)).to(inputs.dtype)

"""Mean squared error, over the examples and the numbers of each."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from objectives.losses import Likelihood, Loss, Targets

__all__ = ["MSE"]

HALF_A_BIT = 2.0**-25
"""Added to a uniform number of 24 bits, so that it is neither 0 nor 1."""


def _drawn(outputs: Tensor, uniforms: Tensor) -> Tensor:
    """Minus the gradient of a square at normal noise of variance 1/2, whose negative log-probability it is."""
    noise: Tensor = torch.special.ndtri(uniforms.to(outputs.dtype) + HALF_A_BIT)
    return math.sqrt(2) * noise.unsqueeze(1)


def _roots(outputs: Tensor) -> Tensor:
    return torch.full_like(outputs, math.sqrt(2)).unsqueeze(0)


MSE = Loss(
    "mse",
    functional.mse_loss,
    Targets.NUMBERS,
    ("loss", "mean_absolute_error"),
    likelihood=Likelihood(joint=False, drawn=_drawn, roots=_roots),
)

"""A linear layer that adds its weight gradient where it is wanted, and the limit of such layers' sizes."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from objectives.models.layers.targets import Target
from tuner.experiment.limits.numbers import do_limits_hold

MOST_WEIGHTS = 2**26
"""Between hidden layers: a lane has several copies of them, each of a quarter of a gigabyte."""


def check_widths(hidden: Sequence[int]) -> None:
    """Raises `ValueError` if hidden layers of a user's have too many weights between them."""
    weights = sum(map(math.prod, pairwise(hidden)))
    if weights > MOST_WEIGHTS and do_limits_hold():
        raise ValueError(f"hidden has {weights:,} weights between its layers; at most {MOST_WEIGHTS:,}")


class Dense(nn.Linear):
    """`torch.nn.Linear`, with less traffic: the gradient of a large layer costs as much to allocate as to compute.

    Attributes:
        target: Where the gradient of the weights goes, `[out, in]`, and autograd gets none. If it is None, autograd
            gets it.
    """

    target: Target | None = None

    def forward(self, input: Tensor) -> Tensor:
        if self.target is None or not torch.is_grad_enabled() or torch.is_autocast_enabled(input.device.type):
            return super().forward(input)
        return _InPlace.apply(input, self.weight, self.bias, self.target)  # type: ignore[no-any-return]


class Flattening(nn.Sequential):
    """Layers that take examples of any shape as vectors."""

    def forward(self, input: Tensor) -> Tensor:
        below = input.flatten(1)
        for each in self:
            below = each(below)
        return below


class _InPlace(torch.autograd.Function):
    """Inputs times transposed weights, plus biases."""

    @staticmethod
    def forward(ctx: FunctionCtx, inputs: Tensor, weights: Tensor, biases: Tensor, target: Target) -> Tensor:
        ctx.save_for_backward(inputs, weights)
        ctx.target = target  # type: ignore[attr-defined]  # as torch's documentation does
        return torch.addmm(biases, inputs, weights.t())

    @staticmethod
    def backward(ctx: FunctionCtx, above: Tensor) -> tuple[Tensor | None, None, Tensor, None]:
        inputs, weights = ctx.saved_tensors  # type: ignore[attr-defined]
        target: Target = ctx.target  # type: ignore[attr-defined]
        target.add_product(above.t().contiguous(), inputs)
        below = above @ weights if ctx.needs_input_grad[0] else None  # type: ignore[attr-defined]
        return below, None, above.sum(0), None

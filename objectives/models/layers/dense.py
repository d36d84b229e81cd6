"""A linear layer that adds its weight gradient where it is wanted."""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx


class Dense(nn.Linear):
    """`torch.nn.Linear`, with less traffic: the gradient of a large layer costs as much to allocate as to compute.

    Attributes:
        target: What the gradient of the weights is added to, `[out, in]`; autograd then gets none. None leaves it to
            autograd.
    """

    target: Tensor | None = None

    def forward(self, input: Tensor) -> Tensor:
        if self.target is None or not torch.is_grad_enabled() or torch.is_autocast_enabled(input.device.type):
            return super().forward(input)
        return _InPlace.apply(input, self.weight, self.bias, self.target)  # type: ignore[no-any-return]


class _InPlace(torch.autograd.Function):
    """Inputs times transposed weights, plus biases."""

    @staticmethod
    def forward(ctx: FunctionCtx, inputs: Tensor, weights: Tensor, biases: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weights)
        ctx.target = target  # type: ignore[attr-defined]  # as torch's documentation does
        return torch.addmm(biases, inputs, weights.t())

    @staticmethod
    def backward(ctx: FunctionCtx, above: Tensor) -> tuple[Tensor, None, Tensor, None]:
        inputs, weights = ctx.saved_tensors  # type: ignore[attr-defined]
        target: Tensor = ctx.target  # type: ignore[attr-defined]
        target.addmm_(above.t().contiguous(), inputs)
        return above @ weights, None, above.sum(0), None

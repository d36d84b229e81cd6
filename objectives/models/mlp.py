"""A multilayer perceptron, its forward and backward pass written out for a batch of lanes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

__all__ = ["Mlp"]

ALIGNMENT = 64
"""Layers and rows start at multiples of this many numbers, so that every lane meets the same vector instructions and
rounds the same."""

NUMBERS_IN_CACHE = 1_800_000
"""That lanes trained at once may hold on a CPU. Measured: with more than about 7 MB they wait for memory."""

LEAST_EXPONENT = -80.0
"""Below -87 the exponential of a float32 underflows, which is a hundred times slower; e^-80 is as good as zero."""


Layer = tuple[Tensor, Tensor]
"""Weights and biases, of every lane."""


@dataclass(frozen=True, slots=True)
class Mlp:
    """Fully connected layers with ReLU between them and softmax cross entropy at the end.

    Attributes:
        hidden: Units of each hidden layer; none is softmax regression.
    """

    hidden: tuple[Annotated[int, Ge(1)], ...] = (128,)

    def network(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        lanes: int,
        batch_size: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "MlpNetwork":
        widths = (math.prod(shape), *self.hidden, classes)
        at_once = lanes if device.type != "cpu" else _lanes_in_cache(widths, lanes=lanes, batch_size=batch_size)
        return MlpNetwork(widths, lanes=at_once, batch_size=batch_size, device=device, dtype=dtype)


class MlpNetwork:
    """A perceptron with the given widths and one row of parameters a lane.

    A layer's weights are stored `[in, out]`, followed by its biases and by padding. Those of the output layer are
    `[out, in]`, and logits `[class, example]`: a product that gives ten columns takes four times as long as one that
    gives ten rows.
    """

    autograd = False
    draws = False

    def __init__(
        self, widths: Sequence[int], *, lanes: int, batch_size: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        def buffer(*shape: int) -> Tensor:
            return torch.zeros(lanes, *shape, device=device, dtype=dtype)

        self.lanes = lanes
        self._shapes = list(pairwise(widths))
        self._sizes = [_padded(fan_in * fan_out + fan_out) for fan_in, fan_out in self._shapes]
        self._outputs = [buffer(batch_size, width) for width in widths[1:-1]]
        self._output_gradients = [buffer(batch_size, width) for width in widths[1:-1]]
        self._logits = buffer(widths[-1], batch_size)
        self._logit_gradient = buffer(widths[-1], batch_size)
        self._gradient = buffer(self.parameters)
        self._gradient_layers = self._split(self._gradient)
        self._row = buffer(1, batch_size)
        self._picked = buffer(1, batch_size)
        self._losses = buffer()
        self._minus_one = torch.full_like(self._row, -1.0)
        self._share = 1 / batch_size
        self._viewed: Tensor | None = None
        self._views: tuple[list[Layer], Layer] = [], (self._gradient, self._gradient)

    @property
    def parameters(self) -> int:
        return sum(self._sizes)

    def layers(self, parameters: Tensor) -> list[Layer]:
        """Views of each layer's weights `[lane, in, out]` and biases `[lane, 1, out]`."""
        hidden, (weights, biases) = self._split(parameters)
        return [*hidden, (weights.transpose(1, 2), biases.transpose(1, 2))]

    def _split(self, parameters: Tensor) -> tuple[list[Layer], Layer]:
        """The hidden layers as `layers` has them, and the output layer: `[lane, out, in]` and `[lane, out, 1]`."""
        views = []
        for (fan_in, fan_out), block in zip(self._shapes, parameters.split_with_sizes(self._sizes, 1), strict=True):
            size = fan_in * fan_out
            views.append((block[:, :size], block[:, size : size + fan_out]))
        (*shapes, (fan_in, fan_out)), (*hidden, (weights, biases)) = self._shapes, views
        output = weights.view(-1, fan_out, fan_in), biases.unsqueeze(2)
        return [(w.view(-1, *shape), b.unsqueeze(1)) for shape, (w, b) in zip(shapes, hidden, strict=True)], output

    def initialise(self, generator: torch.Generator) -> Tensor:
        """As `torch.nn.Linear` does: weights and biases uniform within one over the square root of the inputs."""
        row = torch.zeros(self.parameters)
        for (fan_in, fan_out), part in zip(self._shapes, row.split_with_sizes(self._sizes), strict=True):
            bound = 1 / math.sqrt(fan_in)
            part[: fan_in * fan_out + fan_out].uniform_(-bound, bound, generator=generator)
        weights = part[: fan_in * fan_out]
        weights.copy_(weights.view(fan_in, fan_out).T.flatten())
        return row

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        below = inputs.expand(len(parameters), *inputs.shape)
        hidden, (weights, biases) = self._split(parameters)
        for each, offsets in hidden:
            below = torch.baddbmm(offsets, below, each).clamp_min_(0)
        return torch.baddbmm(biases, weights, below.transpose(1, 2)).transpose(1, 2)

    def seed(self, noise: int) -> None:
        """Nothing here is random."""

    def loss_and_gradient(self, parameters: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        hidden, (weights, biases) = self._known(parameters)
        below = inputs
        for (each, offsets), outputs in zip(hidden, self._outputs, strict=True):
            below = torch.baddbmm(offsets, below, each, out=outputs).clamp_min_(0)
        torch.baddbmm(biases, weights, below.transpose(1, 2), out=self._logits)
        losses = self._cross_entropy(labels.unsqueeze(1))
        above, (weight_gradient, bias_gradient) = self._logit_gradient, self._gradient_layers[1]
        torch.bmm(above, below, out=weight_gradient)
        torch.sum(above, 2, True, out=bias_gradient)
        if hidden:
            torch.bmm(above.transpose(1, 2), weights, out=self._output_gradients[-1])
            self._backward(hidden, inputs)
        return losses, self._gradient

    def _known(self, parameters: Tensor) -> tuple[list[Layer], Layer]:
        """The layers of a tensor seen before, mostly: making the views takes as long as a small matrix product."""
        if parameters is not self._viewed:
            self._viewed, self._views = parameters, self._split(parameters)
        return self._views

    def _cross_entropy(self, labels: Tensor) -> Tensor:
        """Losses `[lane]` of the logits; leaves their gradient, softmax less one-hot over the batch size.

        Written out, because `log_softmax` over ten classes takes five times as long. Overwrites the logits.

        Args:
            labels: `[lane, 1, example]`.
        """
        logits, gradient, row = self._logits, self._logit_gradient, self._row
        logits.sub_(torch.amax(logits, 1, True, out=row))
        torch.gather(logits, 1, labels, out=self._picked)
        torch.exp(logits.clamp_min_(LEAST_EXPONENT), out=gradient)
        gradient.div_(torch.sum(gradient, 1, True, out=row))
        gradient.scatter_add_(1, labels, self._minus_one).mul_(self._share)
        return torch.sum(row.log_().sub_(self._picked), (1, 2), out=self._losses).mul_(self._share)

    def _backward(self, hidden: list[Layer], inputs: Tensor) -> None:
        """The gradient of every hidden layer, from that of the last one's outputs."""
        for index in reversed(range(len(hidden))):
            above, outputs = self._output_gradients[index], self._outputs[index]
            # What autograd calls for a ReLU; multiplying with a mask takes twice as long.
            torch.ops.aten.threshold_backward.grad_input(above, outputs, 0, grad_input=above)
            below = self._outputs[index - 1] if index else inputs
            weights, biases = self._gradient_layers[0][index]
            torch.bmm(below.transpose(1, 2), above, out=weights)
            torch.sum(above, 1, True, out=biases)
            if index:
                torch.bmm(above, hidden[index][0].transpose(1, 2), out=self._output_gradients[index - 1])


def _lanes_in_cache(widths: Sequence[int], *, lanes: int, batch_size: int) -> int:
    """The most lanes whose tensors stay in the cache from step to step, of those that divide `lanes`; one at least."""
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    activations = batch_size * (2 * sum(widths) - widths[0])
    most = max(1, NUMBERS_IN_CACHE // (3 * weights + activations))  # with gradients, and the optimizer's velocity
    return max(each for each in range(1, min(lanes, most) + 1) if lanes % each == 0)


def _padded(size: int) -> int:
    return math.ceil(size / ALIGNMENT) * ALIGNMENT

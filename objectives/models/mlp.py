"""A multilayer perceptron, its forward and backward pass written out for a batch of lanes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor, nn

from objectives.losses import Loss
from objectives.models import Block, Layout
from objectives.models.layers.dense import Flattening, check_widths
from objectives.models.regularisation import GRADIENT_NOISE, LABEL_SMOOTHING, Regularisation
from tuner.experiment.limits.numbers import LAYERS, Units

__all__ = ["Mlp"]

ALIGNMENT = 64
"""Layers and rows start at multiples of this many numbers, so that every lane meets the same vector instructions and
rounds the same."""

CROWDED, ROOM = 256, 16
"""A row of weights whose length is a multiple of `CROWDED` is padded by `ROOM` zeros. Without padding, numbers at
distances of a power of two compete for the processor's cache, and products of small minibatches take a sixth longer."""

LEAST_EXPONENT = -80.0
"""Below -87 the exponential of a float32 underflows, which is a hundred times slower; e^-80 is as good as zero."""


WeightsAndBiases = tuple[Tensor, Tensor]
"""Weights and biases of every lane."""


@dataclass(frozen=True, slots=True)
class Mlp:
    """Fully connected layers with ReLU between them. The gradient of softmax cross entropy is written out.

    Attributes:
        hidden: Units of each hidden layer. Without hidden layers the model is softmax regression.
    """

    hidden: Annotated[tuple[Units, ...], LAYERS] = (128,)

    def __post_init__(self) -> None:
        check_widths(self.hidden)

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
        return MlpNetwork(widths, lanes=lanes, batch_size=batch_size, device=device, dtype=dtype)

    def as_module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """See `objectives.models.AsModule`."""
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise((math.prod(shape), *self.hidden, classes)):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        return Flattening(*layers[:-1])


class MlpNetwork:
    """A perceptron with the given widths. Each lane has one row of parameters.

    A layer's weights are stored as `[in, out]`, followed by its biases and by padding; rows of weights may be padded,
    too. The output layer's weights are `[out, in]` and its logits `[class, example]`, because a matrix product with ten
    columns takes four times as long as a product with ten rows.
    """

    together = 1
    autograd = False
    draws = False

    def __init__(
        self, widths: Sequence[int], *, lanes: int, batch_size: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        def buffer(*shape: int) -> Tensor:
            return torch.zeros(lanes, *shape, device=device, dtype=dtype)

        self.lanes = lanes
        self._shapes = list(pairwise(widths))
        *hidden, (last_in, last_out) = self._shapes
        blocks = [*((fan_in, fan_out) for fan_in, fan_out in hidden), (last_out, last_in)]
        # Number and length of a layer's rows of weights, the distance between their starts, and the number of biases.
        self._blocks = [
            (rows, length, _apart(length), fan_out)
            for (rows, length), (_, fan_out) in zip(blocks, self._shapes, strict=True)
        ]
        self._sizes = [_padded(rows * stride + biases) for rows, _, stride, biases in self._blocks]
        self._outputs = [buffer(batch_size, width) for width in widths[1:-1]]
        self._output_gradients = [buffer(batch_size, width) for width in widths[1:-1]]
        self._logits = buffer(widths[-1], batch_size)
        self._logit_gradient = buffer(widths[-1], batch_size)
        self._row = buffer(1, batch_size)
        self._picked = buffer(1, batch_size)
        self._losses = buffer()
        self._minus_one = torch.full_like(self._row, -1.0)
        self._share = 1 / batch_size
        self._loss: Loss | None = None
        self._seen: list[tuple[Tensor, tuple[list[WeightsAndBiases], WeightsAndBiases]]] = []

    @property
    def parameters(self) -> int:
        return sum(self._sizes)

    @property
    def layout(self) -> Layout:
        """See `objectives.models.HasLayout`."""
        blocks, start = [], 0
        for number, ((rows, _, stride, _), size) in enumerate(zip(self._blocks, self._sizes, strict=True)):
            biases = start + rows * stride
            blocks += [Block(f"{2 * number}.weight", start, biases, 2)]
            blocks += [Block(f"{2 * number}.bias", biases, start + size, 1)]
            start += size
        return Layout(tuple(blocks))

    def layers(self, parameters: Tensor) -> list[WeightsAndBiases]:
        """Views of each layer's weights `[lane, in, out]` and biases `[lane, 1, out]`."""
        hidden, (weights, biases) = self._split(parameters)
        return [*hidden, (weights.transpose(1, 2), biases.transpose(1, 2))]

    def _split(self, parameters: Tensor) -> tuple[list[WeightsAndBiases], WeightsAndBiases]:
        """The hidden layers as `layers` has them, and the output layer: `[lane, out, in]` and `[lane, out, 1]`."""
        views = []
        for (rows, length, stride, biases), block in zip(
            self._blocks, parameters.split_with_sizes(self._sizes, 1), strict=True
        ):
            size = rows * stride
            weights = block[:, :size].view(-1, rows, stride)[..., :length]
            views.append((weights, block[:, size : size + biases]))
        *hidden, (weights, offsets) = views
        return [(each, biases.unsqueeze(1)) for each, biases in hidden], (weights, offsets.unsqueeze(2))

    def initialise(self, generator: torch.Generator) -> Tensor:
        """Parameters as `torch.nn.Linear` draws them: uniform, at most one over the square root of the inputs."""
        row = torch.zeros(1, self.parameters)
        for (fan_in, fan_out), (weights, biases) in zip(self._shapes, self.layers(row), strict=True):
            bound = 1 / math.sqrt(fan_in)
            drawn = torch.empty(fan_in * fan_out + fan_out).uniform_(-bound, bound, generator=generator)
            weights.copy_(drawn[: fan_in * fan_out].view(weights.shape))
            biases.copy_(drawn[fan_in * fan_out :])
        return row[0]

    def named_weights(self, row: Tensor) -> Mapping[str, Tensor]:
        """The weights as `nn.Sequential(nn.Linear(...), nn.ReLU(), nn.Linear(...), ...)` has them."""
        found = {}
        for number, (weights, biases) in enumerate(self.layers(row.unsqueeze(0))):
            found[f"{2 * number}.weight"] = weights[0].T.clone()
            found[f"{2 * number}.bias"] = biases[0, 0].clone()
        return found

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        below = inputs.expand(len(parameters), *inputs.shape[-2:])
        hidden, (weights, biases) = self._split(parameters)
        for each, offsets in hidden:
            below = torch.baddbmm(offsets, below, each).clamp_min_(0)
        return torch.baddbmm(biases, weights, below.transpose(1, 2)).transpose(1, 2)

    def seed(self, noise: int) -> None:
        """Does nothing: training draws no random numbers."""

    @property
    def regularisers(self) -> frozenset[str]:
        """See `objectives.models.regularisation.Regularises`."""
        return frozenset({GRADIENT_NOISE} | ({LABEL_SMOOTHING} if self._loss is None else set()))

    def minimise(self, loss: Loss) -> None:
        """Minimise this loss in place of cross entropy. It is differentiated by the outputs; the rest is the same."""
        self._loss = loss

    def add_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        return self._step(parameters, inputs, labels, sums, share=share, regularisation=regularisation, kept=1)

    def write_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        """See `objectives.models.regularisation.WritesGradient`."""
        return self._step(parameters, inputs, labels, sums, share=share, regularisation=regularisation, kept=0)

    def _step(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        *,
        share: float,
        regularisation: Regularisation | None,
        kept: int,
    ) -> Tensor:
        """Add the gradient to what is in `sums`, or to zero: to `kept` times what is there. Returns the losses."""
        hidden, (weights, biases) = self._known(parameters)
        below = inputs
        for (each, offsets), outputs in zip(hidden, self._outputs, strict=True):
            below = torch.baddbmm(offsets, below, each, out=outputs).clamp_min_(0)
        torch.baddbmm(biases, weights, below.transpose(1, 2), out=self._logits)
        losses = self._cross_entropy(labels.unsqueeze(1), share) if self._loss is None else self._other(labels, share)
        above = self._logit_gradient
        if regularisation is not None:
            regularisation.change(above.transpose(1, 2), labels, share=share)
        hidden_sums, (weight_sums, bias_sums) = self._known(sums)
        weight_sums.baddbmm_(above, below, beta=kept)
        _add_sum(bias_sums, above, 2, kept=kept)
        if hidden:
            torch.bmm(above.transpose(1, 2), weights, out=self._output_gradients[-1])
            self._backward(hidden, inputs, hidden_sums, kept=kept)
        return losses

    def _known(self, rows: Tensor) -> tuple[list[WeightsAndBiases], WeightsAndBiases]:
        """The layers of a tensor, from a cache of two: making the views takes as long as a small matrix product."""
        for seen, views in self._seen:
            if seen is rows:
                return views
        self._seen = [*self._seen[-1:], (rows, self._split(rows))]
        return self._seen[-1][1]

    def _cross_entropy(self, labels: Tensor, share: float) -> Tensor:
        """Losses of the logits, `[lane]`. Writes `share` times the gradient into `_logit_gradient`.

        The gradient is softmax minus one-hot, over the batch size. It is written out, because `log_softmax` over ten
        classes takes five times as long. Overwrites the logits.

        Args:
            labels: `[lane, 1, example]`.
            share: The factor of the gradient.
        """
        logits, gradient, row = self._logits, self._logit_gradient, self._row
        logits.sub_(torch.amax(logits, 1, True, out=row))
        torch.gather(logits, 1, labels, out=self._picked)
        torch.exp(logits.clamp_min_(LEAST_EXPONENT), out=gradient)
        gradient.div_(torch.sum(gradient, 1, True, out=row))
        gradient.scatter_add_(1, labels, self._minus_one).mul_(share * self._share)
        return torch.sum(row.log_().sub_(self._picked), (1, 2), out=self._losses).mul_(self._share)

    def _other(self, targets: Tensor, share: float) -> Tensor:
        """As `_cross_entropy`, of another loss. Targets are `[lane, example]` or `[lane, example, output]`."""
        assert self._loss is not None
        losses, gradient = self._loss.gradient(self._logits.transpose(1, 2), targets)
        torch.mul(gradient.transpose(1, 2), share, out=self._logit_gradient)
        return self._losses.copy_(losses)

    def _backward(
        self, hidden: list[WeightsAndBiases], inputs: Tensor, sums: list[WeightsAndBiases], *, kept: int
    ) -> None:
        """Adds the gradients of all hidden layers. Starts from the gradient of the last hidden layer's outputs."""
        for index in reversed(range(len(hidden))):
            above, outputs = self._output_gradients[index], self._outputs[index]
            # What autograd calls for a ReLU; multiplying with a mask takes twice as long.
            torch.ops.aten.threshold_backward.grad_input(above, outputs, 0, grad_input=above)
            below = self._outputs[index - 1] if index else inputs
            weights, biases = sums[index]
            weights.baddbmm_(below.transpose(1, 2), above, beta=kept)
            _add_sum(biases, above, 1, kept=kept)
            if index:
                torch.bmm(above, hidden[index][0].transpose(1, 2), out=self._output_gradients[index - 1])


def _add_sum(biases: Tensor, above: Tensor, dim: int, *, kept: int) -> None:
    """Add the sum over the examples, which lie in this dimension, to the biases; or write it over them."""
    if kept:
        biases.add_(above.sum(dim, True))
    else:
        torch.sum(above, dim, True, out=biases)


def _apart(length: int) -> int:
    """The distance between the starts of two rows of weights."""
    return length + ROOM if length % CROWDED == 0 else length


def _padded(size: int) -> int:
    return math.ceil(size / ALIGNMENT) * ALIGNMENT

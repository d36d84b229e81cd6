"""Regularisation of gradients by hyperparameters, which a search space may name or leave out."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, cast, runtime_checkable

from torch import Tensor

from objectives.implementing import implements
from objectives.models import Network

LABEL_SMOOTHING, GRADIENT_NOISE, DROPOUT = "label_smoothing", "gradient_noise", "dropout"
MAX_GRADIENT_NORM = "max_gradient_norm"
REGULARISERS = frozenset({LABEL_SMOOTHING, GRADIENT_NOISE, DROPOUT, MAX_GRADIENT_NORM})
"""The hyperparameters. Each is active if a trial names it, and otherwise costs nothing and changes nothing."""


class Smoothing(StrEnum):
    """What label smoothing by `s` takes from an example's class.

    `paper`: the target of its class is `1 - s`, and of each other class `s / (classes - 1)` (Shallue et al. 2019).
    `torch`: the target is `1 - s` times the one-hot vector plus `s / classes` (`torch.nn.functional.cross_entropy`).
    """

    PAPER = "paper"
    TORCH = "torch"

    def spread(self, smoothing: Tensor, classes: int) -> Tensor:
        """The share of the target that is spread evenly over all classes: `s` as torch counts it."""
        return smoothing * (classes / (classes - 1)) if self is Smoothing.PAPER else smoothing


@dataclass(frozen=True, slots=True)
class Regularisation:
    """What changes the gradient of a minibatch. What is None is not active.

    Attributes:
        spread: The share of each example's target that is spread evenly over all classes, `[lane, 1]`.
        weights: A factor of each example's gradient, `[lane, example]`.
        dropout: The rate of the dropout layers, `[lane, 1]`.
    """

    spread: Tensor | None = None
    weights: Tensor | None = None
    dropout: Tensor | None = None

    def part(self, examples: slice) -> "Regularisation":
        """The same for some examples of the minibatch."""
        return self if self.weights is None else replace(self, weights=self.weights[:, examples])

    def change(self, gradient: Tensor, labels: Tensor, *, share: float) -> None:
        """Change the gradient of the mean loss by the outputs, in place.

        Cross entropy with a target has the gradient softmax minus target. So smoothing adds the same wherever the
        gradient comes from.

        Args:
            gradient: `[lane, example, ..., class]`.
            labels: Classes, `[lane, example, ...]`; any others without smoothing.
            share: What the loss was multiplied by.
        """
        if self.spread is not None:
            each = self.spread * (share / labels[0].numel())  # [lane, 1], of the mean over all labels
            each = each.view(-1, *[1] * (gradient.ndim - 1))
            gradient.sub_(each / gradient.shape[-1])
            index = labels.unsqueeze(-1)
            gradient.scatter_add_(-1, index, each.expand(index.shape))
        if self.weights is not None:
            gradient.mul_(self.weights.view(*self.weights.shape, *[1] * (gradient.ndim - 2)))


@runtime_checkable
class Regularises(Protocol):
    """What a network implements besides `Network` if its gradient can be regularised.

    Attributes:
        regularisers: Those of `REGULARISERS` that it can apply with the loss that it minimises. `max_gradient_norm` is
            none of them: it is applied to the gradients of any network.
    """

    @property
    def regularisers(self) -> frozenset[str]: ...

    def add_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        """As `Network.add_gradient`. The losses are those without regularisation, but for dropout."""
        ...


@runtime_checkable
class WritesGradient(Protocol):
    """What a network implements besides `Regularises` if it need not add its gradient to zeros."""

    def write_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        """As `add_gradient`, but what is in `sums` counts as zero.

        Numbers that are no trained parameters, such as padding and running averages, are left as they are.
        """
        ...


def add_gradient(
    network: Network,
    parameters: Tensor,
    inputs: Tensor,
    labels: Tensor,
    sums: Tensor,
    share: float = 1.0,
    regularisation: Regularisation | None = None,
) -> Tensor:
    """`network.add_gradient`, told of regularisation if there is any: then the network implements `Regularises`."""
    if regularisation is None:
        return network.add_gradient(parameters, inputs, labels, sums, share)
    regularising = cast(Regularises, network)  # to ask whether it is one would take as long as a small step
    return regularising.add_gradient(parameters, inputs, labels, sums, share, regularisation)


def write_gradient(
    network: Network,
    parameters: Tensor,
    inputs: Tensor,
    labels: Tensor,
    sums: Tensor,
    share: float = 1.0,
    regularisation: Regularisation | None = None,
) -> Tensor:
    """As `add_gradient`, but what is in `sums` counts as zero. See `WritesGradient`, which a network may implement."""
    if implements(network, WritesGradient):
        return network.write_gradient(parameters, inputs, labels, sums, share, regularisation)
    return add_gradient(network, parameters, inputs, labels, sums.zero_(), share, regularisation)

"""Models whose parameters are stacked over lanes, and ordinary torch modules, of which each lane has its own."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class Network(Protocol):
    """A model for given data, computing for several lanes at once.

    The parameters of all lanes are one tensor `[lane, parameter]`. What a lane gives depends on its own row alone,
    even when other rows are not finite.

    Attributes:
        lanes: How many are trained by one call: all of a trainer's, or a divisor of their number.
        together: Examples that are normalised together: a minibatch can be divided into multiples of as many. 1 if each
            is by itself, None if a minibatch cannot be divided.
        autograd: Whether gradients are recorded. If not, tensors may be inference tensors, which are a tenth faster.
        draws: Whether training draws random numbers, for dropout say; then it takes one lane at once.
    """

    @property
    def lanes(self) -> int: ...
    @property
    def together(self) -> int | None: ...
    @property
    def autograd(self) -> bool: ...
    @property
    def draws(self) -> bool: ...

    @property
    def parameters(self) -> int:
        """Length of a row. May count padding, and running averages that training keeps: their gradient is zero."""
        ...

    def initialise(self, generator: torch.Generator) -> Tensor:
        """Fresh parameters of one trial, `[parameter]`, float32, from a generator on the CPU."""
        ...

    def seed(self, noise: int) -> None:
        """Set what the random numbers of the next step depend on; called only if it draws any."""
        ...

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        """Each lane's mean loss over its own minibatch; a share of its gradient is added to what is there.

        Adding is what optimizers do next anyway, and saves writing a large gradient and reading it again.

        Args:
            parameters: `[lane, parameter]`.
            inputs: `[lane, example, feature]`.
            labels: `[lane, example]`, int64.
            sums: What the gradient is added to, `[lane, parameter]`.
            share: What it is multiplied with.

        Returns:
            Losses `[lane]`, in a buffer that the next call overwrites.
        """
        ...

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """What each of any number of lanes makes of the same inputs.

        Args:
            parameters: `[lane, parameter]`.
            inputs: `[example, feature]`.

        Returns:
            `[lane, example, class]`.
        """
        ...


@runtime_checkable
class Model(Protocol):
    """The settings of a model that is written out for a batch of lanes."""

    def network(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        lanes: int,
        batch_size: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> Network:
        """The model for examples of this shape, with room for the minibatches of as many lanes as it takes at once."""
        ...


@runtime_checkable
class Architecture(Protocol):
    """The settings of a model that is a torch module."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A module with fresh parameters, drawn by torch's own generator.

        It takes `[example, *shape]` and gives `[example, class]`.
        """
        ...

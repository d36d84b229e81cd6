"""Models whose parameters are stacked over lanes."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class Network(Protocol):
    """A model for given data, computing for every lane at once.

    The parameters of all lanes are one tensor `[lane, parameter]`. What a lane gives depends on its own row alone,
    even when other rows are not finite.
    """

    @property
    def parameters(self) -> int:
        """Length of a row. May count padding, which is zero and has gradient zero."""
        ...

    def initialise(self, generator: torch.Generator) -> Tensor:
        """Fresh parameters of one trial, `[parameter]`, float32, from a generator on the CPU."""
        ...

    def loss_and_gradient(self, parameters: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Each lane's mean loss over its own minibatch, and its gradient.

        Args:
            parameters: `[lane, parameter]`.
            inputs: `[lane, example, feature]`.
            labels: `[lane, example]`, int64.

        Returns:
            Losses `[lane]` and gradients `[lane, parameter]`. They are buffers that the next call overwrites.
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
    """A model's settings."""

    def network(
        self, features: int, classes: int, *, lanes: int, batch_size: int, device: torch.device, dtype: torch.dtype
    ) -> Network:
        """The model for data of this shape, with room for the minibatches of all lanes."""
        ...

"""Interfaces of models: networks whose parameters are stacked over lanes, and ordinary torch modules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from objectives.losses import Loss


@dataclass(frozen=True, slots=True)
class Block:
    """A trained tensor in a row of parameters.

    Attributes:
        name: As the `state_dict` of a torch module has it.
        start, stop: Its numbers, and perhaps zeros between them and after them.
        dimensions: Of the tensor. Biases and the scales of norms have one.
    """

    name: str
    start: int
    stop: int
    dimensions: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A trained matrix in a row of parameters, `[output, input]`: a linear layer, or a convolution of patches.

    Attributes:
        weights: Where it starts.
        biases: Where the biases start, `[output]`; None if the layer has none.
        inputs: Of the layer, or numbers in a patch.
    """

    weights: int
    biases: int | None
    inputs: int
    outputs: int

    @property
    def sides(self) -> tuple[int, int]:
        """The sides of its factors: of inputs, with a 1 behind them if there are biases, and of outputs."""
        return self.inputs + (self.biases is not None), self.outputs


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each trained tensor lies in a row of parameters; in order, without gaps.

    What follows them in the row, such as running averages, is not trained.

    Attributes:
        layers: Those that factors are computed of. Empty if the network was not asked for factors.
    """

    blocks: tuple[Block, ...]
    layers: tuple[Layer, ...] = ()

    @property
    def trained(self) -> int:
        """The length of the part of a row that is trained."""
        return self.blocks[-1].stop


class Network(Protocol):
    """A model for given data that computes several lanes at once.

    The parameters of all lanes are one tensor `[lane, parameter]`. A lane's outputs depend on its own row only, even
    when other rows are not finite.

    Attributes:
        lanes: Lanes that one call trains: all lanes of the trainer, or a divisor of their number.
        together: Examples that are normalised together. A minibatch may be split into multiples of this number. It is 1
            without normalisation over examples, and None if a minibatch must not be split.
        autograd: Whether torch records gradients. If not, tensors may be inference tensors, which are a tenth faster.
        draws: Whether training draws random numbers, as dropout does. Then `lanes` is 1.
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
        """Length of a row. It may include padding and running averages, whose gradients are zero."""
        ...

    def initialise(self, generator: torch.Generator) -> Tensor:
        """Initial parameters of one trial, `[parameter]`, float32. The generator is on the CPU."""
        ...

    def seed(self, noise: int) -> None:
        """Set the seed of the next step's random numbers. Called only if the network draws random numbers.

        Where steps are recorded, torch's generator of the device is seeded instead. The network must draw from it.
        """
        ...

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        """Each lane's mean loss over its own minibatch. Adds `share` times the gradient of this loss to `sums`.

        Optimizers would add the gradient next anyway. Adding it here saves writing and reading a large tensor.

        Args:
            parameters: `[lane, parameter]`.
            inputs: `[lane, example, feature]`.
            labels: `[lane, example]`, int64; or as the loss takes them: tokens `[lane, example, position]`, int64, or
                numbers `[lane, example, output]`.
            sums: The tensor that the gradient is added to, `[lane, parameter]`.
            share: The factor of the gradient.

        Returns:
            Losses `[lane]`, in a buffer that the next call overwrites.
        """
        ...

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Each lane's outputs. The number of lanes is free.

        Args:
            parameters: `[lane, parameter]`.
            inputs: `[example, feature]`, the same for all lanes, or `[lane, example, feature]`.

        Returns:
            `[lane, example, output]`; or `[lane, example, position, class]`, if the labels are tokens.
        """
        ...


@runtime_checkable
class AnyLoss(Protocol):
    """What a network implements besides `Network` if it can minimise another loss than cross entropy."""

    def minimise(self, loss: Loss) -> None:
        """Minimise this loss from now on."""
        ...


@runtime_checkable
class HasLayout(Protocol):
    """What a network implements besides `Network` if its parameters are several tensors.

    Attributes:
        layout: Where each of them lies.
    """

    @property
    def layout(self) -> Layout: ...


def layout_of(network: Network) -> Layout:
    """Where the trained tensors of a network lie: a single one, unless it says otherwise."""
    return network.layout if isinstance(network, HasLayout) else Layout((Block("", 0, network.parameters, 2),))


Factors = tuple[Tensor, Tensor]
"""Of a layer: second moments of its inputs and of its outputs' gradients, `[lane, side, side]`. Their Kronecker product
approximates the layer's block of the Fisher matrix."""


@runtime_checkable
class NamedWeights(Protocol):
    """What a network implements besides `Network` if its parameters have names."""

    def named_weights(self, row: Tensor) -> Mapping[str, Tensor]:
        """Copies of the tensors in a row, `[parameter]`, as the `state_dict` of a torch module has them."""
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
        """The network for examples of this shape. It trains `lanes` lanes at once, with minibatches of `batch_size`.

        `classes` is the number of outputs, which are classes or numbers.
        """
        ...


@runtime_checkable
class Architecture(Protocol):
    """The settings of a model that is a torch module."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A module with new parameters, drawn from torch's global generator.

        It takes `[example, *shape]` and gives `[example, output]`, with `classes` outputs; or `[example, position,
        class]`, if the labels are tokens.
        """
        ...


@runtime_checkable
class AsModule(Protocol):
    """What a `Model` implements besides if it can be a torch module too, from which the factors of layers are got."""

    def as_module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The same function as `Architecture.module` gives. Its parameters have the names of `NamedWeights`."""
        ...

"""The training loss as a function of all parameters: what every diagnostic is computed of."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from objectives.losses import Loss
from objectives.training.devices.memory import is_full

Block = tuple[Tensor, Tensor]
"""Inputs `[example, ...]` as the module takes them, and targets `[example, ...]`."""

GRADIENTS_AT_ONCE = 2**25
"""Numbers in the gradients of minibatches that are computed at once, about: 128 MiB."""
INPUTS_AT_ONCE = 2**20
"""Numbers in the inputs of what is computed at once, about: the activations of a network are many times as many."""


@dataclass(frozen=True, slots=True)
class TrainingLoss:
    """The mean loss of a module over given examples, as a function of its trained parameters, `[parameter]`.

    The module is in evaluation mode: nothing is dropped, and a batch norm uses its running averages. So the loss is a
    mean over examples that do not depend on each other.

    Attributes:
        module: Its parameters are where the diagnostics are computed.
        loss: What is minimised.
        blocks: The examples, as many at a time as should be computed at once.
    """

    module: nn.Module
    loss: Loss
    blocks: Sequence[Block]

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The trained parameters of the module, by name."""
        return {name: each for name, each in self.module.named_parameters() if each.requires_grad}

    @property
    def examples(self) -> int:
        """How many there are."""
        return sum(len(targets) for _, targets in self.blocks)

    @property
    def point(self) -> Tensor:
        """The trained parameters, `[parameter]`, a copy."""
        return torch.cat([each.detach().flatten() for each in self.trained.values()])

    def gradient(self, point: Tensor) -> tuple[float, Tensor]:
        """The loss at other parameters, and its gradient, `[parameter]`."""
        leaf = point.detach().requires_grad_()
        parameters, total = self._named(leaf), 0.0
        sums = torch.zeros_like(point)
        for inputs, targets in self.blocks:
            part = self._loss(parameters, inputs, targets) * (len(targets) / self.examples)
            sums += torch.autograd.grad(part, leaf, retain_graph=True)[0]
            total += float(part.detach())
        return total, sums

    def gradients(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The gradients of the losses of minibatches, `[minibatch, parameter]`.

        Args:
            inputs: `[minibatch, example, ...]`.
            targets: `[minibatch, example, ...]`.
        """
        parameters = {name: each.detach() for name, each in self.trained.items()}
        of_one = sum(each.numel() for each in parameters.values())
        at_once = max(1, min(GRADIENTS_AT_ONCE // of_one, INPUTS_AT_ONCE // inputs[0].numel()))
        of_each = vmap(grad(self._loss), in_dims=(None, 0, 0), randomness="same", chunk_size=at_once)
        try:
            found = of_each(parameters, inputs, targets)
        except RuntimeError as error:
            if is_full(error):
                raise
            # Some operations are not for many minibatches at once, such as a choice of the memory's layout.
            found = self._one_by_one(parameters, inputs, targets)
        return torch.cat([found[name].flatten(1) for name in parameters], dim=1)

    def _one_by_one(self, parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """As `vmap` of the gradient gives it."""
        found = [grad(self._loss)(parameters, *minibatch) for minibatch in zip(inputs, targets, strict=True)]
        return {name: torch.stack([each[name] for each in found]) for name in parameters}

    def _loss(self, parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of some examples."""
        outputs: Tensor = functional_call(self.module, parameters, (inputs,))
        return self.loss.function(outputs, targets)

    def _named(self, point: Tensor) -> dict[str, Tensor]:
        """Views of the parameters in a vector, by name."""
        shapes = {name: each.shape for name, each in self.trained.items()}
        parts = torch.split(point, [prod(each) for each in shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}

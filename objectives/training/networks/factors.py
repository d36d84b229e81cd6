"""The factors of a module's layers: second moments of their inputs and of their outputs' gradients.

Of linear layers by Martens and Grosse 2015, section 3; of convolutions by Grosse and Martens 2016, section 3. A linear
layer that is applied at several positions of an example counts as a convolution of patches of one position.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional

from objectives.losses import Loss
from objectives.models import Factors, Layer
from objectives.optimizers import Fisher
from objectives.training.draws import Purpose, uniforms

AT_ONCE = 2**24
"""Numbers in the patches that are made at once, about."""

Weighted = nn.Linear | nn.Conv2d


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a layer in a forward pass.

    Attributes:
        inputs: Of the layer.
        outputs: Where their gradient arrives, before an operation behind changes the outputs in place.
    """

    module: Weighted
    inputs: Tensor
    outputs: GradientEdge


class FactoredLayers:
    """The linear layers and convolutions of a module that are trained, and their factors.

    Grouped convolutions are left out, and layers whose weights are computed by a parametrisation.

    Args:
        own: The module's parameters that are trained.
        starts: Where each of them starts in a row of parameters.
        loss: What is minimised.
        fisher: Of which labels the outputs' gradients are.
    """

    def __init__(
        self, module: nn.Module, own: Sequence[nn.Parameter], starts: Sequence[int], *, loss: Loss, fisher: Fisher
    ) -> None:
        start_of = {id(each): start for each, start in zip(own, starts, strict=True)}
        self._loss, self._fisher = loss, fisher
        self._number_of: dict[int, int] = {}
        """The number of the layer that has these weights."""
        self._modules: list[Weighted] = []
        found: list[Layer] = []
        for each in module.modules():
            if not isinstance(each, Weighted) or id(each.weight) not in start_of:
                continue
            if isinstance(each, nn.Conv2d) and each.groups > 1:
                continue
            self._modules.append(each)
            if id(each.weight) not in self._number_of:
                self._number_of[id(each.weight)] = len(found)
                biases = None if each.bias is None else start_of.get(id(each.bias))
                outputs, inputs = each.weight.flatten(1).shape
                found.append(Layer(start_of[id(each.weight)], biases, inputs, outputs))
        self.layers = tuple(found)

    @contextmanager
    def watched(self) -> Iterator[list[Call]]:
        """Lists the calls of these layers meanwhile."""
        calls: list[Call] = []

        def seen(module: nn.Module, given: tuple[Tensor, ...], named: Mapping[str, Tensor], outputs: Tensor) -> None:
            assert isinstance(module, Weighted)
            inputs, *_ = (*given, *named.values())
            calls.append(Call(module, inputs.detach(), get_gradient_edge(outputs)))

        hooks = [each.register_forward_hook(seen, with_kwargs=True) for each in self._modules]
        try:
            yield calls
        finally:
            for hook in hooks:
                hook.remove()

    def add(
        self,
        calls: Sequence[Call],
        outputs: Tensor,
        labels: Tensor,
        factors: Sequence[Factors],
        *,
        seeds: Tensor,
        share: float,
    ) -> None:
        """Add `share` times the factors that follow from the calls of a forward pass.

        Args:
            calls: Of these layers.
            outputs: Of the module, with the graph that leads to them.
            labels: `[example]` or `[example, ...]`.
            factors: Those that are added to, of one lane.
            seeds: `[example]`.
            share: The factor.
        """
        rows = [0] * len(self.layers)
        for call in calls:
            number = self._number_of[id(call.module.weight)]
            rows[number] += _add_inputs(call, factors[number][0][0], share / len(outputs))
        for above in self._output_gradients(outputs, labels, seeds):
            found = torch.autograd.grad(
                outputs, [call.outputs for call in calls], above, retain_graph=True, allow_unused=True
            )
            for call, gradients in zip(calls, found, strict=True):
                if gradients is not None:
                    number = self._number_of[id(call.module.weight)]
                    target = factors[number][1][0]
                    each = _outputs_last(gradients, call.module).to(target.dtype)
                    target.addmm_(each.T, each, alpha=share / rows[number])

    def _output_gradients(self, outputs: Tensor, labels: Tensor, seeds: Tensor) -> Iterator[Tensor]:
        """Gradients of each example's loss by the module's outputs. The sum of their second moments is wanted."""
        # An example's loss is the mean over its n labels, which are independent of each other. So its Hessian is 1 / n
        # times the second moment of the sum of their gradients, which is n times that of the mean.
        if self._fisher is Fisher.EMPIRICAL:
            with torch.enable_grad():
                leaf = outputs.detach().requires_grad_()
                loss = self._loss.function(leaf, labels)
            yield torch.autograd.grad(loss, leaf)[0] * (len(outputs) * labels[0].numel() ** 0.5)
            return
        likelihood = self._loss.likelihood
        assert likelihood is not None
        per_label = outputs.shape[-1] if likelihood.joint else 1
        by_label = outputs.detach().reshape(len(outputs), -1, per_label)
        scale = by_label.shape[1] ** -0.5
        if self._fisher is Fisher.SAMPLED:
            chances = uniforms(seeds, by_label.shape[1], Purpose.LABELS)
            drawn = likelihood.drawn(by_label.flatten(0, 1), chances.flatten())
            yield scale * drawn.view(outputs.shape)
            return
        for root in likelihood.roots(by_label.flatten(0, 1)):
            roots = scale * root.view(by_label.shape)
            for label in range(by_label.shape[1]):
                alone = torch.zeros_like(roots)
                alone[:, label] = roots[:, label]
                yield alone.view(outputs.shape)


def _add_inputs(call: Call, target: Tensor, weight: float) -> int:
    """Add the sum of the inputs' outer products, times `weight`. Returns the number of inputs."""
    count, size = 0, call.module.weight[0].numel()
    for inputs in _parts(call):
        each = inputs.to(target.dtype)
        count += len(each)
        target[:size, :size].addmm_(each.T, each, alpha=weight)
        if len(target) > size:
            sums = each.sum(0)
            target[size, :size].add_(sums, alpha=weight)
            target[:size, size].add_(sums, alpha=weight)
    if len(target) > size:
        target[size, size] += weight * count
    return count


def _parts(call: Call) -> Iterator[Tensor]:
    """The layer's inputs `[row, input]`, a few examples at a time: patches overlap, and so need much memory."""
    module = call.module
    if isinstance(module, nn.Linear):
        yield call.inputs.reshape(-1, module.in_features)
        return
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    # The same for every kind of padding: also for "same", which may pad one side more than the other.
    padded = functional.pad(call.inputs, module._reversed_padding_repeated_twice, mode)
    patches = partial(
        functional.unfold,
        kernel_size=_pair(module.kernel_size),
        dilation=_pair(module.dilation),
        stride=_pair(module.stride),
    )
    at_once = max(1, AT_ONCE // (padded[0].numel() * module.weight[0, 0].numel()))
    for images in torch.split(padded, at_once):
        yield patches(images).transpose(1, 2).flatten(0, 1)


def _pair(sizes: tuple[int, ...]) -> tuple[int, int]:
    height, width = sizes
    return height, width


def _outputs_last(gradients: Tensor, module: Weighted) -> Tensor:
    """`[row, output]`."""
    if isinstance(module, nn.Conv2d):
        return gradients.movedim(1, -1).reshape(-1, module.out_channels)
    return gradients.reshape(-1, module.out_features)

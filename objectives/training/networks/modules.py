"""Trains any torch module in lanes, one lane after the other, by autograd.

Each lane has its own parameters and running averages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.models import Block, Factors, Layout
from objectives.models.layers.dense import Dense
from objectives.models.layers.dropout import Dropout, with_dropouts
from objectives.models.layers.ghosts import together_in
from objectives.models.layers.targets import Target
from objectives.models.regularisation import DROPOUT, GRADIENT_NOISE, LABEL_SMOOTHING, Regularisation
from objectives.optimizers import Fisher
from objectives.training.devices.arithmetic import Precision
from objectives.training.networks.factors import FactoredLayers

ALIGNMENT = 64
"""Parameters start at multiples of this many numbers in a row."""
EXAMPLES_AT_ONCE = 256
"""Examples of one forward pass in evaluation: the activations should stay in the processor's cache."""
EXAMPLES_AT_ONCE_ELSEWHERE = 4096
"""Examples of one forward pass in evaluation on a GPU, which needs more examples to be busy."""


Initial = Callable[[torch.Generator], Mapping[str, Tensor]]
"""Initial parameters, by name."""


class ModuleNetwork:
    """Implements `objectives.models.Network` by one module, which is given the parameters of a lane at a time.

    Implements `objectives.models.factors.Factored` too, if `fisher` is given.

    A row holds the trained parameters and, behind them, the floating-point buffers, such as running averages. Other
    buffers are the module's own and must not change.

    Args:
        make: Makes a module, with new parameters from torch's global generator.
        shape: The shape of one example as the module takes it.
        loss: What is minimised.
        precision: The precision of products and convolutions.
        compiled: Whether the module goes through `torch.compile`, which takes about a minute.
        fisher: Of which labels factors are wanted, if any.
        initial: Draws the parameters in place of the module.

    Raises:
        ValueError: The module has no parameters, batch norm that averages over all minibatches it has seen, or ghost
            batches of different sizes.
    """

    lanes = 1
    autograd = True
    draws = True

    @torch.inference_mode(False)
    def __init__(
        self,
        make: Callable[[], nn.Module],
        shape: Sequence[int],
        *,
        device: torch.device,
        dtype: torch.dtype,
        loss: Loss = CROSS_ENTROPY,
        precision: Precision = Precision.FLOAT32,
        compiled: bool = False,
        fisher: Fisher | None = None,
        initial: Initial | None = None,
    ) -> None:
        self._make, self._shape, self._device, self._loss = make, shape, device, loss
        self._initial = initial
        module = with_dropouts(make()).to(device, dtype)
        self.together = together_in(module)
        self._own = [each for each in module.parameters() if each.requires_grad]
        if not self._own:
            raise ValueError(f"{type(module).__name__} has no parameters to train")
        self._module = module
        self._call: Callable[[Tensor], Tensor] = torch.compile(module) if compiled else module
        # Without autocast's cache, which would keep the parameters of the lane before.
        self._autocast = torch.autocast(
            device.type, torch.bfloat16, enabled=precision is Precision.BF16, cache_enabled=False
        )
        self._buffers = [each for each in module.buffers() if each.is_floating_point()]
        self._shapes = [each.shape for each in (*self._own, *self._buffers)]
        self._sizes = [-(-each.numel() // ALIGNMENT) * ALIGNMENT for each in self._shapes]
        layers = [] if compiled else [each for each in module.modules() if isinstance(each, Dense)]
        # Layers that add the gradient of their weights themselves, and the index of these weights in `_own`.
        self._dense = [(each, number) for each in layers for number, own in enumerate(self._own) if own is each.weight]
        starts = [stop - size for size, stop in zip(self._sizes, accumulate(self._sizes), strict=True)]
        self._factored = (
            None
            if fisher is None
            else FactoredLayers(module, self._own, starts[: len(self._own)], loss=loss, fisher=fisher)
        )
        self._dropouts = [(each, each.rate) for each in module.modules() if isinstance(each, Dropout)]

    @property
    def regularisers(self) -> frozenset[str]:
        """See `objectives.models.regularisation.Regularises`."""
        names = {GRADIENT_NOISE: True, LABEL_SMOOTHING: self._loss.smooths, DROPOUT: bool(self._dropouts)}
        return frozenset(name for name, can in names.items() if can)

    @property
    def parameters(self) -> int:
        return sum(self._sizes)

    @property
    def layout(self) -> Layout:
        """See `objectives.models.HasLayout`."""
        names = [name for name, each in self._module.named_parameters() if each.requires_grad]
        ends = list(accumulate(self._sizes))
        return Layout(
            tuple(
                Block(name, stop - size, stop, len(shape))
                for name, shape, size, stop in zip(names, self._shapes, self._sizes, ends, strict=False)
            ),
            self._factored.layers if self._factored else (),
        )

    def initialise(self, generator: torch.Generator) -> Tensor:
        """Parameters as the module initialises them: torch's global generator is seeded from `generator`."""
        row = torch.zeros(self.parameters)
        if self._initial:
            named = self._initial(generator)
            names = [name for name, each in self._module.named_parameters() if each.requires_grad]
            for leaf, name in zip(self._leaves(row), names, strict=False):
                leaf.copy_(named[name])
            return row
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self._make()
        fresh = [each for each in module.parameters() if each.requires_grad]
        buffers = [each for each in module.buffers() if each.is_floating_point()]
        for leaf, each in zip(self._leaves(row), [*fresh, *buffers], strict=True):
            leaf.copy_(each.detach())
        return row

    def seed(self, noise: int) -> None:
        """Seeds torch's global generator on this device only, which is faster than on all devices."""
        if self._device.type == "cuda":
            torch.cuda.default_generators[self._device.index or 0].manual_seed(noise)
        elif self._device.type == "cpu":
            torch.default_generator.manual_seed(noise)
        else:
            torch.manual_seed(noise)

    def add_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        return self._step(parameters, inputs, labels, self._targets(sums), share=share, regularisation=regularisation)

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
        targets = self._targets(sums, is_fresh=True)
        return self._step(parameters, inputs, labels, targets, share=share, regularisation=regularisation)

    def _step(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        targets: Sequence[Target],
        *,
        share: float,
        regularisation: Regularisation | None,
    ) -> Tensor:
        """As `add_gradient`, with a target for each trained parameter."""
        self._borrow(parameters[0])
        self._set_dropout(regularisation)
        for layer, number in self._dense:
            layer.target = targets[number]
        with torch.enable_grad(), self._autocast:
            outputs = self._call(inputs[0].view(-1, *self._shape)).to(parameters.dtype)
            loss = self._loss.function(outputs, labels[0])
            scaled = loss * share
        self._backward(outputs, scaled, labels, targets, share=share, regularisation=regularisation)
        return loss.detach().unsqueeze(0)

    def add_factors(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        factors: Sequence[Factors],
        *,
        seeds: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        """See `objectives.models.factors.Factored`. The module itself is called, compiled or not: it is watched."""
        assert self._factored is not None
        self._borrow(parameters[0])
        self._set_dropout(regularisation)
        for layer, _ in self._dense:
            layer.target = None  # several backward passes would add to it
        with torch.enable_grad(), self._autocast, self._factored.watched() as calls:
            outputs = self._module(inputs[0].view(-1, *self._shape)).to(parameters.dtype)
            loss = self._loss.function(outputs, labels[0])
            scaled = loss * share
        targets = self._targets(sums)
        self._backward(outputs, scaled, labels, targets, share=share, regularisation=regularisation, again=True)
        self._factored.add(calls, outputs, labels[0], factors, seeds=seeds[0], share=share)
        return loss.detach().unsqueeze(0)

    def _backward(
        self,
        outputs: Tensor,
        scaled: Tensor,
        labels: Tensor,
        targets: Sequence[Target],
        *,
        share: float,
        regularisation: Regularisation | None,
        again: bool = False,
    ) -> None:
        """Add the gradient of a loss, which was multiplied by `share`. `again` keeps the graph for more passes."""
        above, of = None, scaled
        if regularisation is not None:
            (found_above,) = torch.autograd.grad(scaled, outputs)
            above, of = found_above.clone(memory_format=torch.contiguous_format), outputs
            regularisation.change(above.unsqueeze(0), labels, share=share)
        found = torch.autograd.grad(of, self._own, above, retain_graph=again, allow_unused=True)
        for target, gradient in zip(targets, found, strict=True):
            if gradient is not None:
                target.add(gradient)
            target.end()

    def _targets(self, sums: Tensor, *, is_fresh: bool = False) -> list[Target]:
        """Where the gradient of each trained parameter goes."""
        return [Target(leaf, is_fresh) for leaf, _ in zip(self._leaves(sums[0]), self._own, strict=False)]

    def _set_dropout(self, regularisation: Regularisation | None) -> None:
        """Set the rate of all dropout layers, or set it back to the model's own."""
        rate = None if regularisation is None else regularisation.dropout
        for layer, own in self._dropouts:
            layer.rate = own if rate is None else rate.view(())

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        self._module.eval()
        with self._autocast:
            of_each = inputs.expand(len(parameters), *inputs.shape[-2:])
            outputs = [self._outputs(row, each) for row, each in zip(parameters, of_each, strict=True)]
        self._module.train()
        return torch.stack(outputs).to(parameters.dtype)

    def named_weights(self, row: Tensor) -> Mapping[str, Tensor]:
        self._borrow(row)
        return {name: each.detach().clone() for name, each in self._module.state_dict().items()}

    def _outputs(self, row: Tensor, inputs: Tensor) -> Tensor:
        self._borrow(row)
        at_once = EXAMPLES_AT_ONCE if self._device.type == "cpu" else EXAMPLES_AT_ONCE_ELSEWHERE
        parts = torch.split(inputs.reshape(-1, *self._shape), at_once)
        return torch.cat([self._call(part) for part in parts])

    def _borrow(self, row: Tensor) -> None:
        """Make the module's parameters and buffers those of a row, `[parameter]`."""
        for own, leaf in zip([*self._own, *self._buffers], self._leaves(row), strict=True):
            own.data = leaf

    def _leaves(self, row: Tensor) -> Iterator[Tensor]:
        """Views of each parameter in a row, then of each buffer."""
        for part, shape in zip(row.split_with_sizes(self._sizes), self._shapes, strict=True):
            yield part[: shape.numel()].view(shape)

"""Trains any torch module in lanes, one lane after the other, by autograd.

Each lane has its own parameters and running averages.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.models.layers.dense import Dense
from objectives.models.layers.ghosts import GhostBatchNorm
from objectives.training.devices.arithmetic import Precision

ALIGNMENT = 64
"""Parameters start at multiples of this many numbers in a row."""
EXAMPLES_AT_ONCE = 256
"""Examples of one forward pass in evaluation: the activations should stay in the processor's cache."""
EXAMPLES_AT_ONCE_ELSEWHERE = 4096
"""Examples of one forward pass in evaluation on a GPU, which needs more examples to be busy."""


class ModuleNetwork:
    """Implements `objectives.models.Network` by one module, which is given the parameters of a lane at a time.

    A row holds the trained parameters and, behind them, the floating-point buffers, such as running averages. Other
    buffers are the module's own and must not change.

    Args:
        make: Makes a module, with new parameters from torch's global generator.
        shape: The shape of one example as the module takes it.
        loss: What is minimised.
        precision: The precision of products and convolutions.
        compiled: Whether the module goes through `torch.compile`, which takes about a minute.

    Raises:
        ValueError: The module has no parameters, or batch norm that averages over all minibatches it has seen.
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
    ) -> None:
        self._make, self._shape, self._device, self._loss = make, shape, device, loss.function
        module = make().to(device, dtype)
        self.together = _together(module)
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

    @property
    def parameters(self) -> int:
        return sum(self._sizes)

    def initialise(self, generator: torch.Generator) -> Tensor:
        """Parameters as the module initialises them: torch's global generator is seeded from `generator`."""
        seed = int(torch.randint(2**62, (), generator=generator))
        row = torch.zeros(self.parameters)
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
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        self._borrow(parameters[0])
        targets = list(self._leaves(sums[0]))[: len(self._own)]
        for layer, number in self._dense:
            layer.target = targets[number]
        with torch.enable_grad(), self._autocast:
            outputs = self._call(inputs[0].view(-1, *self._shape))
            loss = self._loss(outputs.to(parameters.dtype), labels[0])
            scaled = loss * share
        found = torch.autograd.grad(scaled, self._own, allow_unused=True)
        for target, gradient in zip(targets, found, strict=True):
            if gradient is not None:
                target.add_(gradient)
        return loss.detach().unsqueeze(0)

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


def _together(module: nn.Module) -> int | None:
    """How many examples the module normalises together, as `objectives.models.Network` has it."""
    together = 1
    for each in module.modules():
        if isinstance(each, GhostBatchNorm):
            together = math.lcm(together, each.ghost_size)
        elif isinstance(each, nn.modules.batchnorm._NormBase) and each.track_running_stats and each.momentum is None:
            raise ValueError(f"{type(each).__name__} without momentum counts minibatches, as lanes do not; give it one")
        elif isinstance(each, nn.modules.batchnorm._BatchNorm):
            return None
    return together

"""Lanes of any torch module: one after the other, each with parameters of its own, by autograd."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.training.arithmetic import Precision
from objectives.training.dense import Dense

ALIGNMENT = 64
"""Parameters start at multiples of this many numbers in a row."""
EXAMPLES_AT_ONCE = 256
"""That a module is evaluated on: what it computes on the way should stay in a processor's cache."""
EXAMPLES_AT_ONCE_ELSEWHERE = 4096
"""On a GPU, which needs more at once to be busy."""


class ModuleNetwork:
    """Implements `objectives.models.Network` by one module, which borrows the parameters of the lane it works for.

    Args:
        make: A new module with fresh parameters from torch's own generator.
        shape: Of one example as the module takes it.
        precision: Of what it computes.
        compiled: Whether it goes through `torch.compile`, which takes a minute at first.

    Raises:
        ValueError: The module keeps running averages, which are no parameters, or has no parameters.
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
        precision: Precision = Precision.FLOAT32,
        compiled: bool = False,
    ) -> None:
        self._make, self._shape, self._device = make, shape, device
        module = make().to(device, dtype)
        averages = [name for name, _ in module.named_buffers() if name.endswith("running_mean")]
        if averages:
            raise ValueError(f"{averages[0]} is a running average, which lanes do not keep; use group or layer norm")
        self._own = [each for each in module.parameters() if each.requires_grad]
        if not self._own:
            raise ValueError(f"{type(module).__name__} has no parameters to train")
        self._module = module
        self._call: Callable[[Tensor], Tensor] = torch.compile(module) if compiled else module
        # Without its cache, which would keep the parameters of the lane before.
        self._autocast = torch.autocast(
            device.type, torch.bfloat16, enabled=precision is Precision.BF16, cache_enabled=False
        )
        self._shapes = [each.shape for each in self._own]
        self._sizes = [-(-each.numel() // ALIGNMENT) * ALIGNMENT for each in self._own]
        self._gradient = torch.zeros(1, self.parameters, device=device, dtype=dtype)
        self._gradients = list(self._leaves(self._gradient[0]))
        if not compiled:
            places = {id(own): place for own, place in zip(self._own, self._gradients, strict=True)}
            for layer in module.modules():
                if isinstance(layer, Dense):
                    layer.place = places[id(layer.weight)]

    @property
    def parameters(self) -> int:
        return sum(self._sizes)

    def initialise(self, generator: torch.Generator) -> Tensor:
        """As the module does, by torch's own generator, seeded from this one."""
        seed = int(torch.randint(2**62, (), generator=generator))
        row = torch.zeros(self.parameters)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = [each for each in self._make().parameters() if each.requires_grad]
        for leaf, each in zip(self._leaves(row), fresh, strict=True):
            leaf.copy_(each.detach())
        return row

    def seed(self, noise: int) -> None:
        """Seeds torch's own generator."""
        torch.manual_seed(noise)

    def loss_and_gradient(self, parameters: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        self._borrow(parameters[0])
        with torch.enable_grad(), self._autocast:
            outputs = self._call(inputs[0].view(-1, *self._shape))
            loss = functional.cross_entropy(outputs.to(parameters.dtype), labels[0])
        found = torch.autograd.grad(loss, self._own, materialize_grads=True)
        for place, gradient in zip(self._gradients, found, strict=True):
            if gradient.data_ptr() != place.data_ptr():
                place.copy_(gradient)
        return loss.detach().unsqueeze(0), self._gradient

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        self._module.eval()
        with self._autocast:
            outputs = [self._outputs(row, inputs) for row in parameters]
        self._module.train()
        return torch.stack(outputs).to(parameters.dtype)

    def _outputs(self, row: Tensor, inputs: Tensor) -> Tensor:
        self._borrow(row)
        at_once = EXAMPLES_AT_ONCE if self._device.type == "cpu" else EXAMPLES_AT_ONCE_ELSEWHERE
        parts = torch.split(inputs.view(-1, *self._shape), at_once)
        return torch.cat([self._call(part) for part in parts])

    def _borrow(self, row: Tensor) -> None:
        """Make the module's parameters those of a row, `[parameter]`."""
        for own, leaf in zip(self._own, self._leaves(row), strict=True):
            own.data = leaf

    def _leaves(self, row: Tensor) -> Iterator[Tensor]:
        """Views of each parameter in a row."""
        for part, shape in zip(row.split_with_sizes(self._sizes), self._shapes, strict=True):
            yield part[: shape.numel()].view(shape)

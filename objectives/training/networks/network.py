"""Makes the network of an experiment from its model, its data and the settings of the computation."""

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from objectives.data import Splits
from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.models import AnyLoss, Architecture, AsModule, Model, NamedWeights, Network
from objectives.optimizers import Fisher
from objectives.training.devices.arithmetic import Precision
from objectives.training.networks.accumulation import Accumulation
from objectives.training.networks.calibration import Calibration, Memory
from objectives.training.networks.modules import Initial, ModuleNetwork
from tuner.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Computation:
    """How gradients are computed.

    Attributes:
        precision: Of matrix products and convolutions.
        compiled: Whether torch modules go through `torch.compile`.
        microbatch: Examples that are computed at once, at most; None lets the memory of the device decide.
        deterministic: Whether a GPU computes convolutions to the same bits each time.
        dtype: Of parameters and data.
    """

    precision: Precision = Precision.FLOAT32
    compiled: bool = False
    microbatch: int | None = None
    deterministic: bool = True
    dtype: torch.dtype = torch.float32


class Networks:
    """The network for each number of lanes that is tried. All these networks have the same parameters.

    Args:
        make: Makes the network that trains this many lanes at once.
        calibration: Chooses the number of lanes.
    """

    def __init__(self, make: Callable[[int], Network], calibration: Calibration) -> None:
        self._make, self.calibration = make, calibration
        self._made: dict[int, Network] = {}

    @property
    def now(self) -> Network:
        """The network to train with next."""
        at_once = self.calibration.at_once
        if at_once not in self._made:
            self._made[at_once] = self._make(at_once)
        if self.calibration.chosen is not None and len(self._made) > 1:
            self._made = {at_once: self._made[at_once]}
        return self._made[at_once]


def networks_for(
    model: Model | Architecture,
    splits: Splits,
    computation: Computation,
    *,
    lanes: int,
    batch_size: int,
    device: torch.device,
    loss: Loss = CROSS_ENTROPY,
    fisher: Fisher | None = None,
) -> Networks:
    """The networks of a model for these data. With `fisher`, they find factors, of these labels.

    Raises:
        ConfigError: Minibatches or microbatches would split a group of examples that are normalised together, or the
            model computes its own gradients, and not of this loss. Or there are no factors of this model and loss.
    """
    if isinstance(model, Architecture) or fisher is not None:
        module = _of_a_module(model, splits, computation, device=device, loss=loss, fisher=fisher)
        return Networks(lambda _: _in_parts(lambda _: module, computation, batch_size), Calibration((1,)))

    def make(at_once: int) -> Network:
        def sized(examples: int) -> Network:
            made = model.network(
                splits.shape, splits.classes, lanes=at_once, batch_size=examples, device=device, dtype=computation.dtype
            )
            return _minimising(made, loss)

        return _in_parts(sized, computation, batch_size)

    if device.type != "cpu":
        # On an accelerator, rounding depends on the number of lanes, so that number must not depend on timing.
        return Networks(make, Calibration((lanes,)))
    memory = _memory(model, splits, computation, lanes=lanes, batch_size=batch_size, loss=loss)
    return Networks(make, Calibration(_divisors(lanes), memory))


def _minimising(network: Network, loss: Loss) -> Network:
    """The network, told which loss it minimises. Raises `ConfigError` if it cannot minimise any but cross entropy."""
    if loss == CROSS_ENTROPY:
        return network
    if not isinstance(network, AnyLoss):
        message = f"{type(network).__name__} computes the gradient of cross entropy alone, not of {loss.name}"
        raise ConfigError(
            [Problem("objective.model", f"{message}; give it a method minimise(loss), or a torch module")]
        )
    network.minimise(loss)
    return network


def _memory(
    model: Model, splits: Splits, computation: Computation, *, lanes: int, batch_size: int, loss: Loss
) -> Memory:
    """Where the fastest number of lanes is kept, with everything that it depends on as its key."""
    return Memory(
        {
            "model": repr(model),
            "shape": str(splits.shape),
            "classes": splits.classes,
            "loss": loss.name,
            "lanes": lanes,
            "batch size": batch_size,
            "computation": repr(computation),
            "processor": _processor(),
            "torch": torch.__version__,
        }
    )


def _in_parts(make: Callable[[int], Network], computation: Computation, batch_size: int) -> Network:
    return Accumulation(make, batch_size=batch_size, microbatch=computation.microbatch)


def _of_a_module(
    model: Model | Architecture,
    splits: Splits,
    computation: Computation,
    *,
    device: torch.device,
    loss: Loss,
    fisher: Fisher | None,
) -> ModuleNetwork:
    """The network of a torch module, which takes any batch size."""
    make, initial = module_of(model, splits)
    network = ModuleNetwork(
        make,
        splits.shape,
        device=device,
        dtype=computation.dtype,
        loss=loss,
        precision=computation.precision,
        compiled=computation.compiled,
        fisher=fisher,
        initial=initial,
    )
    if fisher is not None:
        if not network.layout.layers:
            message = f"{type(model).__name__} has neither a linear layer nor a convolution that is trained"
            raise _refused(f"{message}, whose factors the optimizer needs; choose another optimizer")
        if loss.likelihood is None and fisher is not Fisher.EMPIRICAL:
            message = f"what labels the model predicts is not known for the loss {loss.name}"
            raise _refused(f'{message}; set fisher = "empirical", or choose another optimizer')
    return network


def module_of(model: Model | Architecture, splits: Splits) -> tuple[Callable[[], nn.Module], Initial | None]:
    """Makes the module of a model, and draws the same parameters as its own network, if it has one."""
    if isinstance(model, Architecture):
        return partial(model.module, splits.shape, splits.classes), None
    if not isinstance(model, AsModule):
        message = f"{type(model).__name__} computes its own gradients, and the optimizer needs factors of its layers"
        raise _refused(f"{message}; give it a method as_module(shape, classes), or choose another optimizer")
    written_out = model.network(
        splits.shape, splits.classes, lanes=1, batch_size=1, device=torch.device("cpu"), dtype=torch.float32
    )
    if not isinstance(written_out, NamedWeights):
        raise _refused(f"the parameters of {type(model).__name__} need names; give it a method named_weights(row)")
    named, drawn = written_out.named_weights, written_out.initialise
    return partial(model.as_module, splits.shape, splits.classes), lambda generator: named(drawn(generator))


def _refused(message: str) -> ConfigError:
    return ConfigError([Problem("objective.optimizer", message)])


def _divisors(number: int) -> Sequence[int]:
    """The divisors of a number, largest first."""
    small = [each for each in range(1, math.isqrt(number) + 1) if number % each == 0]
    return sorted({*small, *(number // each for each in small)}, reverse=True)


def _processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())

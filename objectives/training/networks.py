"""The network of an experiment: from its model, for its data, as it should compute."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from objectives.data import Splits
from objectives.models import Architecture, Model, Network
from objectives.training.accumulation import Accumulation
from objectives.training.arithmetic import Precision
from objectives.training.modules import ModuleNetwork


@dataclass(frozen=True, slots=True)
class Computation:
    """How gradients are computed.

    Attributes:
        precision: Of matrix products and convolutions.
        compiled: Whether torch modules go through `torch.compile`.
        microbatch: Examples that are computed at once, at most; None is as many as the device holds.
        dtype: Of parameters and data.
    """

    precision: Precision = Precision.FLOAT32
    compiled: bool = False
    microbatch: int | None = None
    dtype: torch.dtype = torch.float32


def network_for(
    model: Model | Architecture,
    splits: Splits,
    computation: Computation,
    *,
    lanes: int,
    batch_size: int,
    device: torch.device,
) -> Network:
    """The model for these data; its minibatches in as many parts as they need."""
    if isinstance(model, Architecture):
        make = _of_a_module(model, splits, computation, device=device)
    else:

        def make(batch_size: int) -> Network:
            return model.network(
                splits.shape, splits.classes, lanes=lanes, batch_size=batch_size, device=device, dtype=computation.dtype
            )

    return Accumulation(make, batch_size=batch_size, microbatch=computation.microbatch or batch_size)


def _of_a_module(
    architecture: Architecture, splits: Splits, computation: Computation, *, device: torch.device
) -> Callable[[int], Network]:
    """The same network for every batch size."""
    network = ModuleNetwork(
        partial(architecture.module, splits.shape, splits.classes),
        splits.shape,
        device=device,
        dtype=computation.dtype,
        precision=computation.precision,
        compiled=computation.compiled,
    )
    return lambda _: network

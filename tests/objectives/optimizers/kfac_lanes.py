"""Lanes under K-FAC, and what they are trained on."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.mse import MSE
from objectives.models import Architecture, Model
from objectives.optimizers import Fisher
from objectives.optimizers.kfac import Kfac
from objectives.schedules.constant import Constant
from objectives.training.lanes import Lanes
from objectives.training.networks.network import Computation, networks_for
from tests.objectives.optimizers.plain_kfac import BATCH, CLASSES, SHAPE

TYPICAL = {"learning_rate": 0.05, "damping": 0.1, "momentum": 0.9, "factor_decay": 0.8, "update_interval": 3.0}
SEVERAL = [
    TYPICAL,
    TYPICAL | {"momentum": 0.0, "update_interval": 1.0},
    TYPICAL | {"learning_rate": 0.2, "damping": 3.0, "update_interval": 7.0, "factor_decay": 0.0},
]


def data(examples: int = 40, *, outputs: bool = False) -> Splits:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(examples, math.prod(SHAPE), generator=generator)
    labels = torch.randint(CLASSES, (examples,), generator=generator)
    split = Split(inputs, torch.randn(examples, CLASSES, generator=generator) if outputs else labels)
    return Splits(split, split, split, classes=CLASSES, shape=SHAPE)


def lanes_of(
    model: Model | Architecture,
    trials: Sequence[Mapping[str, float]],
    *,
    fisher: Fisher = Fisher.SAMPLED,
    loss: Loss = CROSS_ENTROPY,
    device: str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Lanes:
    """Lanes, each with a trial whose seed is 10 more than its number."""
    on = torch.device(device)
    networks = networks_for(
        model,
        data(outputs=loss is MSE),
        Computation(dtype=dtype),
        lanes=len(trials),
        batch_size=BATCH,
        device=on,
        loss=loss,
        fisher=fisher,
    )
    made = Lanes(networks, optimizer=Kfac(fisher), schedule=Constant(), lanes=len(trials), device=on, dtype=dtype)
    for lane, each in enumerate(trials):
        row = made.first_row(networks.now.initialise(torch.Generator().manual_seed(lane)))
        made.write(lane, row, seed=10 + lane, step=0, hyperparameters=each)
    return made


def minibatches(steps: int, lanes: int, *, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """`[step, lane, example, feature]` and labels."""
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(steps, lanes, BATCH, math.prod(SHAPE), generator=generator, dtype=dtype)
    return inputs, torch.randint(CLASSES, (steps, lanes, BATCH), generator=generator)


@torch.no_grad()
def trained(made: Lanes, inputs: Tensor, labels: Tensor) -> Tensor:
    """The parameters after these steps."""
    made.train(inputs.to(made.parameters.device), labels.to(made.parameters.device))
    return made.parameters.cpu().clone()

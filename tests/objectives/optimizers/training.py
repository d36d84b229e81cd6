"""Trains the trials of a case in lanes, and one of them alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.data.digits import Digits
from objectives.models import Architecture, Model, NamedWeights
from objectives.models.mlp import Mlp
from objectives.optimizers import Optimizer
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.devices.arithmetic import deterministic_kernels
from objectives.training.devices.recording import Recorder
from objectives.training.lanes import Lanes
from objectives.training.networks.calibration import Calibration
from objectives.training.networks.network import Computation, Networks, networks_for
from tests.objectives.optimizers.cases import Case
from tests.objectives.optimizers.references import rates

BATCH_SIZE = 16
CPU = torch.device("cpu")

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Normed:
    """A convolution and a linear layer, with batch norm."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        # A bias before batch norm has no gradient but rounding, of which adaptive optimizers make steps.
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(36, classes),
        )


MODELS: Mapping[str, tuple[Model | Architecture, Callable[[], nn.Module]]] = {
    "perceptron": (Mlp((16,)), lambda: nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))),
    "batch norm": (Normed(), lambda: Normed().module((1, 8, 8), 10)),
}
"""Models, each with the module that it equals."""


def networks(model: str, *, lanes: int, device: torch.device = CPU, dtype: torch.dtype = torch.float64) -> Networks:
    """The networks of a model. Perceptrons train all lanes at once."""
    splits, settings = Digits().load(), Computation(dtype=dtype)
    made = networks_for(MODELS[model][0], splits, settings, lanes=lanes, batch_size=BATCH_SIZE, device=device)
    return made if made.now.autograd else Networks(made._make, Calibration((lanes,)))


def lanes_of(
    optimizer: Optimizer,
    networks: Networks,
    *,
    lanes: int,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float64,
    recorder: Callable[[], Recorder] | None = None,
) -> Lanes:
    schedule = LinearDecay()
    return Lanes(
        networks, optimizer=optimizer, schedule=schedule, lanes=lanes, device=device, dtype=dtype, recorder=recorder
    )


def load(made: Lanes, lane: int, trial: int, hyperparameters: Mapping[str, object]) -> None:
    """Start a trial from the parameters of its seed, which is its number."""
    row = made.first_row(made._networks.now.initialise(torch.Generator().manual_seed(trial)))
    values = {name: float(str(value)) for name, value in hyperparameters.items()}
    made.write(lane, row, seed=trial, step=0, hyperparameters=values)


def minibatches(trials: Sequence[int], steps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Inputs `[step, trial, example, feature]` and labels. Those of a trial are the same beside any others."""
    split = Digits().load().train
    rows = torch.stack(
        [
            torch.randint(len(split), (steps, BATCH_SIZE), generator=torch.Generator().manual_seed(each))
            for each in trials
        ],
        1,
    )
    return split.inputs[rows].to(dtype), split.labels[rows]


def train(made: Lanes, trials: Sequence[int], *, steps: int, first: int = 0) -> None:
    """Train lanes, each on the minibatches of its trial."""
    into = made.parameters
    inputs, labels = (each[first:].to(into.device) for each in minibatches(trials, first + steps, into.dtype))
    with torch.no_grad(), deterministic_kernels(into.device, wanted=True):
        made.train(inputs, labels)


def trained(
    case: Case,
    model: str,
    *,
    lanes: int,
    trials: Sequence[int],
    steps: int,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float64,
    recorder: Callable[[], Recorder] | None = None,
) -> list[Weights]:
    """The measured weights of some trials, so many in lanes at a time."""
    found: list[Weights] = []
    for start in range(0, len(trials), lanes):
        of_these = networks(model, lanes=lanes, device=device, dtype=dtype)
        made = lanes_of(case.optimizer, of_these, lanes=lanes, device=device, dtype=dtype, recorder=recorder)
        here = trials[start : start + lanes]
        with torch.no_grad():
            for lane, trial in enumerate(here):
                load(made, lane, trial, case.point(trial))
            train(made, here, steps=steps)
            found += [named(of_these, row) for row in made.measured]
    return found


def named(of_these: Networks, row: Tensor) -> Weights:
    network = of_these.now
    assert isinstance(network, NamedWeights)
    return {name: each.cpu() for name, each in network.named_weights(row).items() if each.is_floating_point()}


def distance(ours: Weights, theirs: Weights) -> float:
    """The largest difference, relative if a weight is above 1; infinite unless the same weights are finite."""
    assert ours.keys() == theirs.keys()
    worst = 0.0
    for name, their in theirs.items():
        is_finite = their.isfinite()
        if not torch.equal(is_finite, ours[name].isfinite()):
            return math.inf
        apart = ((ours[name] - their).abs() / their.abs().clamp(min=1))[is_finite]
        worst = max(worst, *apart.flatten().tolist(), 0.0)
    return worst


def alone(
    case: Case, model: str, trial: int, *, steps: int, dtype: torch.dtype = torch.float64, disturbance: float = 0.0
) -> Weights:
    """A trial in an ordinary loop; its initial parameters may be off by a relative `disturbance`."""
    of_one = networks(model, lanes=1, dtype=dtype)
    module = MODELS[model][1]().to(dtype)
    row = of_one.now.initialise(torch.Generator().manual_seed(trial)).to(dtype)
    assert isinstance(of_one.now, NamedWeights)
    module.load_state_dict(of_one.now.named_weights(row))
    with torch.no_grad():
        for each in module.parameters():
            each.mul_(1 + disturbance)
    values = {name: float(value) for name, value in case.point(trial).items()}
    reference = case.reference(module, values)
    shape = (-1, 1, 8, 8) if model == "batch norm" else (-1, 64)
    inputs, labels = (each[:, 0] for each in minibatches([trial], steps, dtype))
    for minibatch, targets, rate in zip(inputs, labels, rates(values, steps), strict=True):
        module.zero_grad()
        torch.autograd.backward(functional.cross_entropy(module(minibatch.view(shape)), targets))
        reference.step(rate)
    return {name: each for name, each in reference.measured.state_dict().items() if each.is_floating_point()}

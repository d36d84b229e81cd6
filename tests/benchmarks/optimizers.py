"""What a step of each optimizer costs beyond the gradient, for a lane, over a step of `torch.optim` or of the formula.

A network with a fixed gradient stands in for the model. The cost is the time of steps in lanes, less that of steps that
only take this gradient as the optimizer does: added to a tensor of its own, or written to one of the trainer's. It has
in it everything else that the trainer does for an optimizer. The cost of the loop is found in the same way: each step
writes its gradients anew, and what that takes is taken off.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from objectives.models import Layout, Network, layout_of
from objectives.models.regularisation import Regularisation
from objectives.optimizers import Optimizer, Problem, State, defaults_of
from objectives.optimizers.adam import Adam
from objectives.optimizers.adamw import AdamW
from objectives.optimizers.ema import Ema
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.optimizers.lamb import Lamb
from objectives.optimizers.lars import Lars
from objectives.optimizers.lion import Lion
from objectives.optimizers.nesterov import Nesterov
from objectives.optimizers.sgd import Sgd
from objectives.schedules.constant import Constant
from objectives.training.lanes import Lanes
from objectives.training.minibatches import STEPS_AHEAD
from objectives.training.networks.calibration import Calibration
from objectives.training.networks.network import Computation, Networks, networks_for
from tests.benchmarks.timing import REPEATS, Train, seconds, steps_in
from tests.benchmarks.workloads import Workload
from tests.objectives.optimizers import references
from tests.objectives.optimizers.references import Make

LANES = 8
BATCH_SIZE = 8
"""Of the steps by which the number of lanes at once is chosen."""
SHORT = 0.1
"""Seconds of one measurement, about."""
CPU = torch.device("cpu")
SETTINGS = {"learning_rate": 1e-4, "momentum": 0.9, "averaging": 0.99}


@dataclass(frozen=True)
class Timed:
    """An optimizer, what it is compared with, and whether weights decay."""

    optimizer: Optimizer
    reference: Make
    named: str
    decays: bool = False
    adds: bool = False
    """Whether it has its gradient added to a tensor of its own."""

    def values(self) -> dict[str, float]:
        """The hyperparameters."""
        given = dict(defaults_of(self.optimizer)) | SETTINGS | {"weight_decay": 1e-4}
        names = self.optimizer.hyperparameters - (frozenset() if self.decays else {"weight_decay"})
        return {name: given[name] for name in names}


TIMED: Mapping[str, Timed] = {
    "sgd": Timed(Sgd(), references.sgd, "torch.optim.SGD"),
    "heavy_ball": Timed(HeavyBall(), references.sgd, "torch.optim.SGD", adds=True),
    "heavy_ball, decay": Timed(HeavyBall(), references.sgd, "torch.optim.SGD", decays=True, adds=True),
    "nesterov": Timed(Nesterov(), references.nesterov, "torch.optim.SGD"),
    "adam": Timed(Adam(), references.adam, "torch.optim.Adam"),
    "adamw, decay": Timed(AdamW(), references.adamw, "torch.optim.AdamW", decays=True),
    "lars, decay": Timed(Lars(), references.lars, "formula", decays=True),
    "lamb, decay": Timed(Lamb(), references.lamb, "formula", decays=True),
    "lion, decay": Timed(Lion(), references.lion, "formula", decays=True),
    "ema of heavy_ball": Timed(
        Ema(HeavyBall()), references.averaged(references.sgd), "SGD and AveragedModel", adds=True
    ),
}


@dataclass(frozen=True)
class Cost:
    """Microseconds of a lane's step beyond the gradient, of the reference's step, and the median of their ratios."""

    model: str
    optimizer: str
    lane: float
    reference: float
    ratio: float
    named: str


class Fixed:
    """A network whose gradient is always the same, with the parameters of another one."""

    together, autograd, draws = 1, False, False

    def __init__(self, network: Network, lanes: int) -> None:
        self.lanes, self.parameters, self.layout = lanes, network.parameters, layout_of(network)
        self._gradient = torch.randn(lanes, network.parameters) * 1e-3
        self._losses = torch.ones(lanes)

    def initialise(self, generator: torch.Generator) -> Tensor:
        return torch.randn(self.parameters, generator=generator)

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        return inputs.expand(len(parameters), -1, -1)

    def seed(self, noise: int) -> None:
        """Draws nothing."""

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        sums.add_(self._gradient)
        return self._losses

    def write_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        sums.copy_(self._gradient)
        return self._losses


@dataclass(frozen=True)
class Still:
    """Takes gradients and moves nothing.

    Attributes:
        adds: Whether they are added to its state.
    """

    adds: bool
    hyperparameters = frozenset({"learning_rate"})

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:
        return (torch.zeros_like(parameters),) if self.adds else ()

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        return problem.add_gradient(parameters, state[0]) if self.adds else problem.gradient(parameters)[0]


def lanes_at_once(workload: Workload) -> tuple[Network, int]:
    """The network of a workload, and how many lanes it trains at once on this machine."""
    splits = workload.splits()
    made = networks_for(workload.model, splits, Computation(), lanes=LANES, batch_size=BATCH_SIZE, device=CPU)
    with torch.no_grad():
        rows = _loaded(made, HeavyBall(), {"learning_rate": 1e-4, "momentum": 0.9})
        shape = STEPS_AHEAD, LANES, BATCH_SIZE
        inputs = splits.train.inputs[torch.randint(len(splits.train), shape)]
        labels = torch.zeros(shape, dtype=torch.int64)
        while made.calibration.chosen is None:
            rows.train(inputs, labels)
    return made.now, made.calibration.chosen


def in_lanes(network: Network, at_once: int, optimizer: Optimizer, values: Mapping[str, float]) -> Train:
    fixed = Fixed(network, at_once)
    rows = _loaded(Networks(lambda _: fixed, Calibration((at_once,))), optimizer, values)
    inputs, labels = torch.zeros(STEPS_AHEAD, LANES, 1, 1), torch.zeros(STEPS_AHEAD, LANES, 1, dtype=torch.int64)

    def run(steps: int) -> None:
        with torch.inference_mode():
            for start in range(0, steps, STEPS_AHEAD):
                rows.train(inputs[: steps - start], labels[: steps - start])

    return run


def in_a_loop(make: Callable[[], nn.Module], timed: Timed, *, moves: bool) -> Train:
    """Writes the gradients of a module, and takes a step by them if it `moves`."""
    module = make()
    gradients = []
    for each in module.parameters():
        each.grad = torch.randn_like(each) * 1e-3
        gradients.append((each.grad, each.grad.clone()))
    reference = timed.reference(module, timed.values())

    def run(steps: int) -> None:
        for _ in range(steps):
            for target, gradient in gradients:
                target.copy_(gradient)
            if moves:
                reference.step(1e-4)

    return run


def costs(name: str, workload: Workload) -> list[Cost]:
    """Of all optimizers, on the CPU."""
    network, at_once = lanes_at_once(workload)
    return [_cost(name, workload, key, partial(in_lanes, network, at_once)) for key in TIMED]


def _cost(model: str, workload: Workload, name: str, made: Callable[[Optimizer, Mapping[str, float]], Train]) -> Cost:
    """Medians of measurements in turn."""
    timed = TIMED[name]
    trained = {
        "lanes": made(timed.optimizer, timed.values()),
        "still": made(Still(timed.adds), {"learning_rate": 1e-4}),
        "loop": in_a_loop(workload.module, timed, moves=True),
        "still loop": in_a_loop(workload.module, timed, moves=False),
    }
    steps = {key: steps_in(SHORT, train, device=CPU) for key, train in trained.items()}
    found = []
    for _ in range(REPEATS):
        took = {key: seconds(train, steps[key], device=CPU) / steps[key] for key, train in trained.items()}
        found.append(((took["lanes"] - took["still"]) / LANES, took["loop"] - took["still loop"]))
    lane, reference = (1e6 * statistics.median(each) for each in zip(*found, strict=True))
    return Cost(model, name, lane, reference, statistics.median(a / b for a, b in found), timed.named)


def _loaded(networks: Networks, optimizer: Optimizer, values: Mapping[str, float]) -> Lanes:
    """Lanes with a trial each."""
    rows = Lanes(networks, optimizer=optimizer, schedule=Constant(), lanes=LANES, device=CPU, dtype=torch.float32)
    for lane in range(LANES):
        row = rows.first_row(networks.now.initialise(torch.Generator().manual_seed(lane)))
        rows.write(lane, row, seed=lane, step=0, hyperparameters=values)
    return rows


def table(found: list[Cost]) -> str:
    """For people."""
    lines = ["model       optimizer           lane, us  reference, us   ratio  reference"]
    lines += [
        f"{each.model:10}  {each.optimizer:18}  {each.lane:8,.1f}  {each.reference:13,.1f}  {each.ratio:6.2f}  "
        f"{each.named}"
        for each in found
    ]
    return "\n".join(lines)

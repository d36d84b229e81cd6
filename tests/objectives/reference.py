"""One trial trained the ordinary way: `torch.nn`, autograd, `torch.optim.SGD`, one loop. What lanes must equal."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from objectives.data import Split, Splits
from objectives.data.digits import Digits
from objectives.models import Network
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules import Schedule
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.devices.recording import Recorder
from objectives.training.lanes import Lanes
from objectives.training.measuring.evaluation import BLOCK, ORDER
from objectives.training.measuring.grid import next_measurement
from objectives.training.networks.network import Computation, Networks
from objectives.training.trainer import LaneTrainer
from tests.measured import advanced
from tuner.objective import MeasuringPlan, Trainer
from tuner.trial import Measurement, TrialSpec

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]

EASY = {"learning_rate": 0.03, "momentum": 0.9, "end_factor": 0.1, "decay_steps": 2000.0}


def lane_trainer(
    batch_size: int,
    *,
    lanes: int,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    chunk: int | None = None,
    schedule: Schedule = LinearDecay(),  # noqa: B008 - a frozen value
    plan: MeasuringPlan = MeasuringPlan(),  # noqa: B008 - a frozen value
) -> LaneTrainer:
    return LaneTrainer(
        Digits().load(),
        Mlp((128,)),
        optimizer=HeavyBall(),
        schedule=schedule,
        batch_size=batch_size,
        lanes=lanes,
        device=device,
        computation=Computation(dtype=dtype),
        plan=plan,
        chunk=chunk,
    )


def heavy_ball_lanes(
    networks: Networks,
    *,
    lanes: int,
    device: torch.device,
    recorder: Callable[[], Recorder] | None = None,
    side_by_side: int | None = None,
) -> Lanes:
    """Lanes without trials."""
    return Lanes(
        networks,
        optimizer=HeavyBall(),
        schedule=LinearDecay(),
        lanes=lanes,
        device=device,
        dtype=torch.float32,
        recorder=recorder,
        side_by_side=side_by_side,
    )


def start(tensors: Lanes, network: Network, lane: int, *, seed: int) -> torch.Generator:
    """Start a trial in a lane; the generator that has drawn its parameters."""
    generator = torch.Generator().manual_seed(seed)
    row = tensors.first_row(network.initialise(generator))
    tensors.write(lane, row, seed=seed, step=0, hyperparameters=EASY)
    return generator


def curves_in_lanes(trainer: Trainer, trials: Sequence[TrialSpec], *, steps: int) -> list[list[Measurement]]:
    """What each trial measures up to a step, when a lane is loaded now and then and freed as its trial is done."""
    curves: list[list[Measurement]] = [[] for _ in trials]
    waiting = list(enumerate(trials))
    loaded: dict[int, int] = {}
    for call in itertools.count():
        free = [lane for lane in range(trainer.lanes) if lane not in loaded]
        if waiting and free and call % 5 == 0:
            number, trial = waiting.pop(0)
            trainer.load(free[-1], trial)
            loaded[free[-1]] = number
        for lane, measured in advanced(trainer).items():
            curve = curves[loaded[lane]]
            curve += [each for each in measured if each.step <= steps]
            if next_measurement(curve[-1].step) > steps:
                trainer.unload(lane)
                del loaded[lane]
        if not waiting and not loaded:
            return curves
    raise AssertionError("unreachable")


def curve_in_lane(trainer: Trainer, lane: int, *, steps: int) -> list[Measurement]:
    """What the trial loaded in a lane measures over its next measurements, up to a step."""
    curve: list[Measurement] = []
    while not curve or curve[-1].step < steps:
        curve += advanced(trainer).get(lane, ())
    return [each for each in curve if each.step <= steps]


def curve_alone(
    trial: TrialSpec,
    *,
    batch_size: int,
    steps: int,
    dtype: torch.dtype = torch.float32,
    disturbance: float = 0.0,
    scheduler: Callable[[torch.optim.Optimizer], LRScheduler] | None = None,
) -> list[Measurement]:
    """The same trial in an ordinary loop; its initial parameters may be off by a relative `disturbance`.

    Its schedule is linear decay, unless another is given.
    """
    splits = Digits().load()
    generator = torch.Generator().manual_seed(trial.seed)
    model = sequential(Mlp((128,)), generator, dtype=dtype)
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(1 + disturbance)
    rates = {name: float(value) for name, value in trial.hyperparameters.items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=rates["learning_rate"], momentum=rates["momentum"])

    def factor(step: int) -> float:
        return 1 - (1 - rates["end_factor"]) * min(step / rates["decay_steps"], 1.0)

    schedule = scheduler(optimizer) if scheduler else LambdaLR(optimizer, factor)
    curve: list[Measurement] = []
    losses: list[float] = []
    initial, due = initial_loss(model, splits.train, dtype=dtype), 1
    for step, rows in zip(range(1, steps + 1), shuffled(len(splits.train), batch_size, generator), strict=False):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(splits.train.inputs[rows].to(dtype)), splits.train.labels[rows])
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step == due:
            curve.append(measure(model, splits, step, [initial] if step == 1 else losses, dtype=dtype))
            losses, due = [], next_measurement(step)
    return curve


def sequential(model: Mlp, generator: torch.Generator, *, dtype: torch.dtype) -> nn.Sequential:
    """The model of `torch.nn` with the parameters a lane would start from."""
    network = model.network((64,), 10, lanes=1, batch_size=1, device=torch.device("cpu"), dtype=dtype)
    modules: list[nn.Module] = []
    for weights, biases in network.layers(network.initialise(generator).to(dtype).unsqueeze(0)):
        linear = nn.Linear(weights.shape[1], weights.shape[2], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(weights[0].T)
            linear.bias.copy_(biases[0, 0])
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def initial_loss(model: nn.Module, split: Split, *, dtype: torch.dtype) -> float:
    """The loss on the block of training examples that lanes are measured on before they are trained."""
    rows = torch.randperm(len(split), generator=torch.Generator().manual_seed(ORDER))[:BLOCK]
    with torch.no_grad():
        return functional.cross_entropy(model(split.inputs[rows].to(dtype)), split.labels[rows]).item()


def shuffled(examples: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Minibatches of one permutation after the other."""
    rows = torch.empty(0, dtype=torch.int64)
    while True:
        while len(rows) < batch_size:
            rows = torch.cat([rows, torch.randperm(examples, generator=generator)])
        yield rows[:batch_size]
        rows = rows[batch_size:]


def losses_and_gradient(network: Network, parameters: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """What a network finds, and what it adds to zeros."""
    gradient = torch.zeros_like(parameters)
    return network.add_gradient(parameters, inputs, labels, gradient), gradient


def measure(model: nn.Module, splits: Splits, step: int, losses: Sequence[float], *, dtype: torch.dtype) -> Measurement:
    def loss_and_error(split: Split) -> tuple[float, float]:
        outputs = model(split.inputs.to(dtype))
        wrong = (outputs.argmax(1) != split.labels) | ~outputs.isfinite().all(1)
        return functional.cross_entropy(outputs, split.labels).item(), wrong.double().mean().item()

    with torch.no_grad():
        validation_loss, validation_error = loss_and_error(splits.validation)
        _, test_error = loss_and_error(splits.test)
    return Measurement(
        step,
        {
            "train/loss": math.fsum(losses) / len(losses) if all(map(math.isfinite, losses)) else sum(losses),
            "validation/loss": validation_loss,
            "validation/error": validation_error,
            "test/error": test_error,
        },
    )

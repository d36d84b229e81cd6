"""How fast lanes train: trial-steps per second of the digits network, next to an ordinary PyTorch loop.

Run as `python -m tests.benchmarks.lanes [--device cpu] [--json]`. Each number is the median of five measurements, of
the loop and of the lanes in turn, so that both meet the same machine. Neither evaluates or logs while it trains.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch.nn import functional

from objectives.data.digits import Digits
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.lanes import Lanes
from objectives.training.minibatches import Minibatches, Order
from tests.objectives.reference import EASY, sequential, shuffled

LANES = (1, 4, 8, 16, 32)
BATCH_SIZES = (2, 8, 64, 512, 1024)
REPEATS = 5
SECONDS = 0.2
"""Of one measurement, about."""

Train = Callable[[int], None]
"""Trains for a number of steps."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Trial-steps per second, and the ratio of the two."""

    batch_size: int
    lanes: int
    loop: float
    in_lanes: float
    ratio: float


def ordinary_loop(batch_size: int, *, device: torch.device) -> Train:
    """One trial, by autograd and `torch.optim.SGD`."""
    train = Digits().load().train
    inputs, labels = train.inputs.to(device), train.labels.to(device)
    generator = torch.Generator().manual_seed(0)
    model = sequential(Mlp((128,)), generator, dtype=torch.float32).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=EASY["learning_rate"], momentum=EASY["momentum"])
    minibatches = shuffled(len(train), batch_size, generator)

    def run(steps: int) -> None:
        for _ in range(steps):
            rows = next(minibatches).to(device)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(functional.cross_entropy(model(inputs[rows]), labels[rows]))
            optimizer.step()

    return run


def in_lanes(batch_size: int, *, lanes: int, device: torch.device) -> Train:
    """As many trials in lockstep."""
    train = Digits().load().train
    network = Mlp((128,)).network((64,), 10, lanes=lanes, batch_size=batch_size, device=device, dtype=torch.float32)
    minibatches = Minibatches(train.inputs.to(device), train.labels.to(device), batch_size=batch_size, lanes=lanes)
    tensors = Lanes(
        network, optimizer=HeavyBall(), schedule=LinearDecay(), lanes=lanes, device=device, dtype=torch.float32
    )
    for lane in range(lanes):
        generator = torch.Generator().manual_seed(lane)
        tensors.write(lane, tensors.first_row(network.initialise(generator)), seed=lane, step=0, hyperparameters=EASY)
        minibatches.open(lane, Order(generator, len(train)))

    @torch.inference_mode()
    def run(steps: int) -> None:
        while steps:
            taken = min(steps, minibatches.ready)
            tensors.train(*minibatches.take(taken))
            steps -= taken

    return run


def compare(batch_size: int, *, lanes: int, device: torch.device) -> Speed:
    """The median speeds of both, measured in turn."""
    trained = {ordinary_loop(batch_size, device=device): 1, in_lanes(batch_size, lanes=lanes, device=device): lanes}
    steps = {train: max(5, round(50 * SECONDS / seconds(train, 50, device=device))) for train in trained}
    pairs = [
        [steps[train] * trials / seconds(train, steps[train], device=device) for train, trials in trained.items()]
        for _ in range(REPEATS)
    ]
    loop, stacked = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Speed(batch_size, lanes, loop, stacked, stacked / loop)


def seconds(train: Train, steps: int, *, device: torch.device) -> float:
    """The time for a number of steps."""
    start = time.perf_counter()
    train(steps)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    device = torch.device(arguments.device)
    speeds = [compare(size, lanes=lanes, device=device) for size in BATCH_SIZES for lanes in LANES]
    if arguments.json:
        print(json.dumps([asdict(each) for each in speeds], indent=1))
        return
    print("batch size  lanes       loop   in lanes   ratio   (trial-steps per second)")
    for each in speeds:
        print(f"{each.batch_size:10}  {each.lanes:5}  {each.loop:9,.0f}  {each.in_lanes:9,.0f}  {each.ratio:6.1f}")


if __name__ == "__main__":
    main()

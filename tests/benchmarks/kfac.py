"""What a step of K-FAC costs: its time over that of an ordinary loop with `torch.optim.SGD`, in the same process.

Run as `python -m tests.benchmarks.kfac [--model NAME] [--batch-size B] [--interval N]`; each may be repeated. Times are
seconds of one processor, medians of five measurements, of the loop and of each interval in turn. One trial trains: the
lanes of a torch module train one after the other. A measurement is a whole number of intervals, so that each holds its
share of the updates of factors and inverses.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

import torch

from objectives.optimizers import Fisher
from objectives.optimizers.kfac import Kfac
from objectives.schedules.constant import Constant
from objectives.training.inputs.examples import Examples
from objectives.training.lanes import Lanes
from objectives.training.minibatches import Minibatches, Order
from objectives.training.networks.network import Computation, networks_for
from tests.benchmarks.lanes import ordinary_loop
from tests.benchmarks.timing import Train
from tests.benchmarks.workloads import WORKLOADS, Workload

CPU = torch.device("cpu")
REPEATS = 5
SECONDS = 0.3
"""Of one measurement, at least."""


def with_kfac(workload: Workload, batch_size: int, *, interval: int) -> Train:
    """One trial in a lane."""
    splits = workload.splits()
    networks = networks_for(
        workload.model, splits, Computation(), lanes=1, batch_size=batch_size, device=CPU, fisher=Fisher.SAMPLED
    )
    with torch.no_grad():
        lanes = Lanes(networks, optimizer=Kfac(), schedule=Constant(), lanes=1, device=CPU, dtype=torch.float32)
        examples = Examples(splits.train, splits, device=CPU, dtype=torch.float32)
        minibatches = Minibatches(examples, batch_size=batch_size, lanes=1)
        generator = torch.Generator().manual_seed(0)
        row = lanes.first_row(networks.now.initialise(generator))
        values = {"learning_rate": 1e-3, "damping": 0.1, "momentum": 0.9, "update_interval": float(interval)}
        lanes.write(0, row, seed=0, step=0, hyperparameters=values)
        minibatches.open(0, Order(generator, len(splits.train)))

    def run(steps: int) -> None:
        with torch.no_grad():
            while steps:
                taken = min(steps, minibatches.ready)
                lanes.train(*minibatches.take(taken))
                steps -= taken

    return run


def seconds_a_step(train: Train, steps: int) -> float:
    """Of the processor."""
    start = time.process_time()
    train(steps)
    return (time.process_time() - start) / steps


def compare(workload: Workload, batch_size: int, intervals: Sequence[int]) -> tuple[float, list[float]]:
    """Seconds of a step of the loop, and the ratio of K-FAC's to it for each interval."""
    trained = {1: ordinary_loop(workload, batch_size, device=CPU)}
    trained |= {-each: with_kfac(workload, batch_size, interval=each) for each in intervals}
    steps: dict[int, int] = {}
    for key, train in trained.items():
        few = abs(key)
        train(few)  # to warm up
        steps[key] = few * max(1, round(SECONDS / (few * seconds_a_step(train, few))))
    times = {key: [] for key in trained}  # type: dict[int, list[float]]
    for _ in range(REPEATS):
        for key, train in trained.items():
            times[key].append(seconds_a_step(train, steps[key]))
    medians = {key: statistics.median(each) for key, each in times.items()}
    return medians[1], [medians[-each] / medians[1] for each in intervals]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=list(WORKLOADS))
    parser.add_argument("--batch-size", action="append", type=int)
    parser.add_argument("--interval", action="append", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    intervals = arguments.interval or [1, 10, 100]
    print("model       batch size  loop, ms/step  " + "  ".join(f"interval {each:3}" for each in intervals))
    for name in arguments.model or ("digits-mlp", "simple-cnn"):
        for batch_size in arguments.batch_size or (64,):
            loop, ratios = compare(WORKLOADS[name], batch_size, intervals)
            cells = "  ".join(f"{each:12.2f}" for each in ratios)
            print(f"{name:10}  {batch_size:10}  {1000 * loop:13.3f}  {cells}", flush=True)


if __name__ == "__main__":
    main()

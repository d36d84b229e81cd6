"""How fast lanes train: trial-steps per second, next to an ordinary PyTorch loop in the same process.

Run as `python -m tests.benchmarks.lanes [--device cpu|cuda] [--model NAME] [--batch-size B] [--lanes N] [--any-kernels]
[--json]`; model, batch size and lanes may be repeated. Each number is the median of five measurements, of the loops and
of the lanes in turn, so that all meet the same machine; on a CPU in seconds of one processor, so that others' work
counts little. None evaluates or logs while it trains. On a GPU the loop is also timed under `torch.compile` with CUDA
graphs, and the lanes of a torch module one graph after the other, beside the one graph in which they are branches. The
loop takes any kernels; the lanes take deterministic ones, or any with `--any-kernels`. With `--optimizers [--model
NAME] [--json]` the steps of all optimizers are timed instead, on the CPU and without the gradient.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from objectives.models import Architecture
from objectives.training.devices.arithmetic import deterministic_kernels
from objectives.training.inputs.examples import Examples
from objectives.training.minibatches import STEPS_AHEAD, Minibatches, Order
from objectives.training.networks.network import Computation, networks_for
from tests.benchmarks.optimizers import costs
from tests.benchmarks.optimizers import table as table_of_costs
from tests.benchmarks.timing import REPEATS, SECONDS, Train, seconds, steps_in
from tests.benchmarks.workloads import WORKLOADS, Workload
from tests.objectives.reference import EASY, heavy_ball_lanes, shuffled, start

SIDE = 2048
"""Of the square matrices whose product measures the peak."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one cell of the table measured.

    Attributes:
        steps_per_second: Of all lanes together.
        loop_steps_per_second: Of the ordinary loop.
        ratio: Of the two.
        share_of_peak: Arithmetic of the lanes, over that of a large matrix product.
        bytes_per_lane: Kept between steps for each trial: parameters and velocity; on a GPU all that is held.
        compiled_steps_per_second: Of the compiled loop, on a GPU.
        apart_steps_per_second: Of all lanes together, a graph each, for a torch module on a GPU.
    """

    model: str
    device: str
    batch_size: int
    lanes: int
    steps_per_second: float
    loop_steps_per_second: float
    ratio: float
    share_of_peak: float
    bytes_per_lane: int
    compiled_steps_per_second: float | None
    apart_steps_per_second: float | None


def ordinary_loop(workload: Workload, batch_size: int, *, device: torch.device, compiled: bool = False) -> Train:
    """One trial, by autograd and `torch.optim.SGD`."""
    splits = workload.splits()
    inputs = splits.train.inputs.view(-1, *splits.shape).to(device)
    labels = splits.train.labels.to(device)
    model = workload.module().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=EASY["learning_rate"], momentum=EASY["momentum"])
    minibatches = shuffled(len(inputs), batch_size, torch.Generator().manual_seed(0))

    def loss(rows: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(model(inputs[rows]), labels[rows])

    forward = torch.compile(loss, mode="reduce-overhead") if compiled else loss

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(forward(next(minibatches).to(device)))
            optimizer.step()

    return run


def in_lanes(
    workload: Workload,
    batch_size: int,
    *,
    lanes: int,
    device: torch.device,
    deterministic: bool,
    side_by_side: int | None = None,
) -> tuple[Train, int]:
    """As many trials in lockstep, and the bytes a lane keeps."""
    splits = workload.splits()
    networks = networks_for(workload.model, splits, Computation(), lanes=lanes, batch_size=batch_size, device=device)
    network = networks.now
    mode = torch.no_grad if network.autograd else torch.inference_mode
    with mode():
        examples = Examples(splits.train, splits, device=device, dtype=torch.float32)
        minibatches = Minibatches(examples, batch_size=batch_size, lanes=lanes)
        tensors = heavy_ball_lanes(networks, lanes=lanes, device=device, side_by_side=side_by_side)
        for lane in range(lanes):
            minibatches.open(lane, Order(start(tensors, network, lane, seed=lane), len(examples)))

    def run(steps: int) -> None:
        with mode(), deterministic_kernels(device, wanted=deterministic):
            while steps:
                taken = min(steps, minibatches.ready)
                tensors.train(*minibatches.take(taken))
                steps -= taken

    while networks.calibration.chosen is None:
        run(STEPS_AHEAD)
    return run, 2 * network.parameters * tensors.parameters.element_size()


def compare(
    name: str, batch_size: int, *, lanes: int, device: torch.device, peak: float, deterministic: bool = True
) -> Speed:
    """The median speeds, measured in turn."""
    workload = WORKLOADS[name]
    before = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    made = partial(in_lanes, workload, batch_size, lanes=lanes, device=device, deterministic=deterministic)
    stacked, kept = made()
    trained = {"loop": (ordinary_loop(workload, batch_size, device=device), 1), "lanes": (stacked, lanes)}
    if device.type == "cuda":
        kept = (torch.cuda.memory_allocated(device) - before) // lanes
        trained["compiled"] = ordinary_loop(workload, batch_size, device=device, compiled=True), 1
        if isinstance(workload.model, Architecture):
            trained["apart"] = made(side_by_side=1)[0], lanes
    with FlopCounterMode(display=False) as counter:
        trained["loop"][0](1)
    steps = {key: steps_in(SECONDS, train, device=device) for key, (train, _) in trained.items()}
    speeds: dict[str, list[float]] = {key: [] for key in trained}
    for _ in range(REPEATS):
        for key, (train, trials) in trained.items():
            speeds[key].append(steps[key] * trials / seconds(train, steps[key], device=device))
    median = {key: statistics.median(each) for key, each in speeds.items()}
    return Speed(
        model=name,
        device=device.type,
        batch_size=batch_size,
        lanes=lanes,
        steps_per_second=median["lanes"],
        loop_steps_per_second=median["loop"],
        ratio=statistics.median(a / b for a, b in zip(speeds["lanes"], speeds["loop"], strict=True)),
        share_of_peak=median["lanes"] * counter.get_total_flops() / peak,
        bytes_per_lane=kept,
        compiled_steps_per_second=median.get("compiled"),
        apart_steps_per_second=median.get("apart"),
    )


def peak_of(device: torch.device) -> float:
    """Floating-point operations per second of a large matrix product."""
    left, right = torch.randn(2, SIDE, SIDE, device=device).unbind()

    def multiply(times: int) -> None:
        for _ in range(times):
            torch.mm(left, right)

    steps = steps_in(SECONDS, multiply, device=device)
    return 2 * SIDE**3 * steps / statistics.median(seconds(multiply, steps, device=device) for _ in range(REPEATS))


def table(speeds: Sequence[Speed], peak: float) -> str:
    """What was measured, for people."""
    lines = [
        f"a matrix product of side {SIDE} makes {peak / 1e9:,.0f} GFLOP/s",
        "model       batch size  lanes       loop   in lanes   ratio  of peak  MB/lane  compiled loop  graph a lane"
        "  (steps/s)",
    ]
    for each in speeds:
        others = [
            f"{speed:{width},.0f}" if speed else f"{'-':>{width}}"
            for speed, width in ((each.compiled_steps_per_second, 13), (each.apart_steps_per_second, 12))
        ]
        lines.append(
            f"{each.model:10}  {each.batch_size:10}  {each.lanes:5}  {each.loop_steps_per_second:9,.1f}  "
            f"{each.steps_per_second:9,.1f}  {each.ratio:6.2f}  {each.share_of_peak:7.1%}  "
            f"{each.bytes_per_lane / 1e6:7.2f}  {'  '.join(others)}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--model", action="append", choices=list(WORKLOADS))
    parser.add_argument("--batch-size", action="append", type=int)
    parser.add_argument("--lanes", action="append", type=int)
    parser.add_argument("--any-kernels", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--optimizers", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if arguments.optimizers:
        found = [cost for name in arguments.model or WORKLOADS for cost in costs(name, WORKLOADS[name])]
        print(json.dumps({"results": [asdict(each) for each in found]}) if arguments.json else table_of_costs(found))
        return
    device = torch.device(arguments.device)
    peak = peak_of(device)
    speeds = [
        compare(name, batch_size, lanes=lanes, device=device, peak=peak, deterministic=not arguments.any_kernels)
        for name in arguments.model or WORKLOADS
        for batch_size in arguments.batch_size or WORKLOADS[name].batch_sizes
        for lanes in arguments.lanes or WORKLOADS[name].lanes
    ]
    print(json.dumps({"results": [asdict(each) for each in speeds]}) if arguments.json else table(speeds, peak))


if __name__ == "__main__":
    main()

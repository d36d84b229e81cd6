"""One study of MNIST from start to end, measured in full and until certain: what each takes, and where the time goes.

Run as `python -m tests.benchmarks.end_to_end [--device cpu|cuda] [--model mlp|cnn ...] [--batch-size B] [--points N]
[--below TARGET] [--within-steps N] [--sampler NAME] [--early-stopping] [--report-seeds N] [--repeats N] [--json]`.
MNIST is read from the folder that `TUNER_DATA` names; without it, synthetic images of the same sizes take its place.
Each run is a process of its own, which works on one study as a worker does: SQLite, MLflow in a SQLite file, the winner
confirmed. Full and exact runs take turns. Each pair of runs has its own experiment seed.

Prints wall and processor seconds of each, its start excluded; what share of the wall time the loop over the lanes
trained, measured and waited for suggestions; what share of it another thread wrote to the store; the winner's median;
and, with points that do not depend on results, whether every trial came to the same outcome and steps.
"""

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import wraps
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table

from objectives.data import Split, Splits
from objectives.data.images.locations import VARIABLE
from objectives.training.lanes import Lanes
from objectives.training.measuring.snapshots import Snapshots
from objectives.training.minibatches import Minibatches
from tests.working import work_through
from tuner.experiment import Experiment, from_table
from tuner.experiment.definition import MeasuringSettings
from tuner.recorders.mlflow.recorder import MlflowRecorder
from tuner.records import Role
from tuner.search.prefetch import Prefetch
from tuner.service.cores import one_thread
from tuner.stores.opening import open_store
from tuner.stores.relational.claims import StudyClaim

MODELS = {"mlp": {"kind": "mlp", "hidden": [256]}, "cnn": {"kind": "cnn"}}
WAYS = {"full": MeasuringSettings(until_certain=False, test_steps="always"), "exact": MeasuringSettings()}
TIMED: Sequence[tuple[str, type, Sequence[str]]] = (
    ("training", Lanes, ("train",)),
    ("training", Minibatches, ("take",)),
    ("measuring", Snapshots, ("measure", "measure_end")),
    ("waiting", Prefetch, ("__next__",)),
    ("storing", StudyClaim, ("start", "finish")),
)
"""What is timed: its name, and the methods of a class."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a study took.

    Attributes:
        shares: Of the wall time, by what was done.
        ends: The outcome and the steps of every trial, in the order of points and seeds.
        confirmed: The winner's median over fresh seeds; infinite if there is none.
    """

    way: str
    wall_seconds: float
    cpu_seconds: float
    shares: dict[str, float]
    ends: tuple[tuple[str, int], ...]
    confirmed: float


@dataclass(frozen=True, slots=True)
class SyntheticImages:
    """Implements `objectives.data.Dataset`: images of MNIST's sizes, each a class's pattern in noise."""

    def load(self) -> Splits:
        generator = torch.Generator().manual_seed(0)
        patterns = torch.randn(10, 784, generator=generator)

        def split(many: int) -> Split:
            labels = torch.randint(10, (many,), generator=generator)
            return Split(0.18 * patterns[labels] + torch.randn(many, 784, generator=generator), labels)

        return Splits(split(55_000), split(5_000), split(10_000), classes=10, shape=(1, 28, 28))


def experiment_of(given: argparse.Namespace, model: str, way: str, *, seed: int = 0) -> Experiment:
    """The study of a model."""
    data = {"kind": "mnist"} if VARIABLE in os.environ else {"kind": "tests.benchmarks.end_to_end:SyntheticImages"}
    experiment = from_table(
        {
            "name": f"{model}-{way}",
            "seed": seed,
            "batch_sizes": [given.batch_size],
            "objective": {
                "kind": "classification",
                "data": data,
                "model": MODELS[model],
                "optimizer": {"kind": "heavy_ball"},
                "schedule": {"kind": "linear_decay"},
            },
            "goal": {"metric": "validation/error", "below": given.below, "within_steps": given.within_steps},
            "space": {
                "learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"},
                "momentum": {"low": 0.0, "high": 0.99, "scale": "reverse_log"},
                "end_factor": {"value": 1.0},
                "decay_steps": {"value": given.within_steps},
            },
            "search": {"sampler": {"kind": given.sampler}, "points": given.points, "probes": 0, "max_rounds": 1},
            "confirmation": {"candidates": 1, "choose_seeds": 1, "report_seeds": given.report_seeds},
        }
    )
    optimism = experiment.search.optimism if given.early_stopping else math.inf
    return replace(experiment, search=replace(experiment.search, optimism=optimism), measuring=WAYS[way])


@contextmanager
def stopwatch(device: str) -> Iterator[dict[str, float]]:
    """Wall seconds spent in each of `TIMED`. On a GPU, training is waited for."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                if name == "training" and device == "cuda":
                    torch.cuda.synchronize()
                seconds[name] += time.perf_counter() - began

        return call

    patches = [
        patch.object(kind, each, timed(name, getattr(kind, each))) for name, kind, names in TIMED for each in names
    ]
    for each in patches:
        each.start()
    try:
        yield seconds
    finally:
        for each in patches:
            each.stop()


def run(experiment: Experiment, way: str, device: str) -> Run:
    """Work on the study in this process."""
    experiment.build_objective().train_examples  # noqa: B018 - loads the data, which both would load alike
    with tempfile.TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{folder}/store.db")) as store:
        recorder = MlflowRecorder(f"sqlite:///{folder}/mlflow.db", lambda: nullcontext(store), tell=print, patience=600)
        store.submit(experiment)
        with stopwatch(device) as seconds:
            began, used = time.perf_counter(), time.process_time()
            recorder.open(experiment)
            work_through(store, emit=recorder.record, device=device)
            wall = time.perf_counter() - began
            recorder.close()
            used = time.process_time() - used
        (study,) = store.record(experiment.name).studies
        steps = [each.end.steps for each in study.finished(Role.REPORT) if each.end is not None]
        ends = {(each.plan.point, each.plan.repeat): each.end for each in study.finished(*Role)}
        return Run(
            way,
            wall,
            used,
            {name: seconds[name] / wall for name, _, _ in TIMED},
            tuple((str(end.outcome), end.steps) for _, end in sorted(ends.items()) if end is not None),
            statistics.median(steps) if steps else math.inf,
        )


def measure(given: argparse.Namespace, model: str) -> Iterator[Run]:
    """The runs of a model, each in a process of its own."""
    for seed in range(given.repeats):
        for way in WAYS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                yield process.submit(run, experiment_of(given, model, way, seed=seed), way, given.device).result()


def table_of(model: str, runs: Sequence[Run]) -> Table:
    """A row for each run."""
    names = list(dict.fromkeys(name for name, _, _ in TIMED))
    table = Table(
        "measuring", "wall, s", "processor, s", *(f"{each}, %" for each in names), "trials", "winner", title=model
    )
    for each in runs:
        shares = [f"{100 * each.shares[name]:.0f}" for name in names]
        table.add_row(
            each.way,
            f"{each.wall_seconds:.1f}",
            f"{each.cpu_seconds:.1f}",
            *shares,
            f"{len(each.ends)}",
            f"{each.confirmed:g}",
        )
    return table


def main() -> None:
    """Measure, and print."""
    one_thread()  # for the processes of the runs
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=MODELS, nargs="+")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--below", type=float, default=0.05)
    parser.add_argument("--within-steps", type=int, default=1000)
    parser.add_argument("--sampler", default="quasi_random")
    parser.add_argument("--report-seeds", type=int, default=1)
    parser.add_argument("--early-stopping", action="store_true")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    models = given.model or (["mlp", "cnn"] if given.device == "cuda" else ["mlp"])
    found = {each: list(measure(given, each)) for each in models}
    if given.json:
        print(json.dumps({model: [asdict(each) for each in runs] for model, runs in found.items()}))
        return
    for model, runs in found.items():
        Console(width=120).print(table_of(model, runs))
        pairs = list(zip(runs[::2], runs[1::2], strict=True))
        ratios = sorted(full.wall_seconds / exact.wall_seconds for full, exact in pairs)
        print(f"{model}: {ratios[0]:.1f} to {ratios[-1]:.1f} times less wall time, {len(ratios)} pairs of runs")
        same = all(full.ends == exact.ends for full, exact in pairs)
        print(f"every trial came to the same outcome and steps: {'yes' if same else 'no'}")


if __name__ == "__main__":
    main()

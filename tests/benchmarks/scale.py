"""How long the commands take that read a store of 100,000 trials, and how large it is.

Run as `python -m tests.benchmarks.scale [--trials 100000] [--repeats 5] [--sqlite] [--json]`. A PostgreSQL server of
its own (or, with `--sqlite`, a file) is filled with experiments of ten studies of a hundred trials, whose curves have a
hundred points of four metrics. Then each command is run as a process, interpreter and imports included.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.filling import BATCH_SIZES, TRIALS, experiment_name, fill, sizes, verify
from tests.commands import environment
from tests.servers import PostgresqlServer

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a command takes.

    Attributes:
        median, low, high: Seconds, over repeats.
        processor: Processor seconds of the command itself, without the server's; median.
    """

    command: str
    median: float
    low: float
    high: float
    processor: float


@contextmanager
def store(folder: Path, *, sqlite: bool) -> Iterator[str]:
    """Where an empty store can be."""
    if sqlite:
        yield f"sqlite:///{folder / 'tuner.db'}"
    else:
        server = PostgresqlServer(Path(tempfile.mkdtemp(prefix="scale-")))
        yield server.url


def commands(experiments: int) -> list[tuple[str, ...]]:
    """What is timed: status of all and of one experiment, and what reads the trials of one."""
    name = experiment_name(experiments // 2)
    return [("status",), ("status", name), ("results", name), ("report", name)]


def measure(command: tuple[str, ...], folder: Path, url: str, *, repeats: int) -> Timing:
    """Run a command as people do, again and again."""
    seconds, processor = [], []
    started = [sys.executable, "-m", "tuner", *command]
    variables = environment(TUNER_STORE=url, OMP_NUM_THREADS="1")
    for _ in range(repeats):
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(started, cwd=folder, capture_output=True, text=True, check=False, env=variables)
        after = os.times()
        seconds.append(time.perf_counter() - began)
        processor.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert done.returncode == 0, done.stderr
    median = statistics.median(seconds)
    return Timing(" ".join(command), median, min(seconds), max(seconds), statistics.median(processor))


def show(timings: list[Timing], bytes_of: Mapping[str, tuple[int, int]]) -> None:
    """Print for a person."""
    for each in timings:
        spread = f"({each.low:.2f} to {each.high:.2f})"
        print(f"tuner {each.command:<18} {each.median:6.2f} s {spread}, {each.processor:.2f} s of processor time")
    for name, (table, index) in bytes_of.items():
        if table + index > MEGABYTE:
            print(f"{name:<26} {table / MEGABYTE:8,.0f} MB table, {index / MEGABYTE:6,.0f} MB indexes")
    print(f"load average: {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    experiments = max(1, given.trials // (len(BATCH_SIZES) * TRIALS))
    with tempfile.TemporaryDirectory(prefix="scale-") as path, store(Path(path), sqlite=given.sqlite) as url:
        began = time.perf_counter()
        fill(url, experiments=experiments)
        print(f"filled with {experiments} experiments in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        verify(url, experiments=experiments)
        timings = [measure(each, Path(path), url, repeats=given.repeats) for each in commands(experiments)]
        bytes_of = {"tuner.db": (Path(path, "tuner.db").stat().st_size, 0)} if given.sqlite else dict(sizes(url))
    if given.json:
        print(json.dumps({"timings": [asdict(each) for each in timings], "bytes": bytes_of}))
    else:
        show(timings, bytes_of)


if __name__ == "__main__":
    main()

"""How near many workers on one PostgreSQL come to the throughput of training alone, and whether they wait for locks.

Run as `python -m tests.benchmarks.throughput [--workers 32] [--trials 30] [--seconds 4] [--width 1] [--json]`. One
experiment of as many studies as there are workers is submitted; its trials sleep for so many seconds, `width` of them
at a time. Workers are `tuner worker` processes, with a real MLflow server. Ideal is that every worker trains all the
time. `all up` is measured from when every study has begun until the first is done, `in all` from the start of the
processes to the end of the last trial. Other work on the machine shows in the load average.
"""

import argparse
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.simulated import simulated
from tests.commands import environment
from tests.lock_waits import LockWaits
from tests.servers import MlflowServer, PostgresqlServer
from tuner.records import ExperimentRecord, Role
from tuner.stores.opening import open_store

MEASUREMENTS = 20
"""Of each trial."""
NAME = "throughput"


@dataclass(frozen=True, slots=True)
class Throughput:
    """What came of it.

    Attributes:
        all_up, in_all: Trials a second over those of workers that do nothing but train; `all_up` is NaN if the first
            study was done before the last was begun.
        up_seconds: From the start of the processes until every study was claimed.
        cpu_seconds: Processor time of all workers.
        samples, waiting: How often sessions were looked at once all were up, and how many of them waited for a lock.
        torch: Workers that had loaded torch.
        load: Load average at the end.
    """

    workers: int
    trials: int
    seconds: float
    all_up: float
    in_all: float
    up_seconds: float
    cpu_seconds: float
    samples: int
    waiting: int
    torch: int
    load: float


def measure(*, workers: int, trials: int, seconds: float, width: int) -> Throughput:
    """Let workers search an experiment, and measure."""
    sizes = [8 + index for index in range(workers)]
    experiment = simulated(
        NAME, batch_sizes=sizes, trials=trials, measurements=MEASUREMENTS, width=width, seconds=seconds
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="throughput-")))
        postgresql, mlflow = PostgresqlServer(Path(tempfile.mkdtemp(prefix="tp-"))), MlflowServer(folder)
        mlflow.start()
        stack.callback(mlflow.stop)
        store = stack.enter_context(closing(open_store(postgresql.url)))
        store.submit(experiment)
        waits = LockWaits(postgresql.url)
        began, before = datetime.now(UTC), resource.getrusage(resource.RUSAGE_CHILDREN)
        with _workers(workers, folder, TUNER_STORE=postgresql.url, MLFLOW_TRACKING_URI=mlflow.url) as started:
            _wait_for(lambda: all(each.trials for each in store.record(NAME).studies))
            with waits.watching():
                _wait_for(lambda: len(store.open_studies()) < workers)
            torch = sum(_has_loaded(each.pid, "libtorch") for each in started)
            _wait_for(lambda: not store.open_studies())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        record = store.record(NAME)
    all_up, in_all, up_seconds = _shares(record, began, seconds / width)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = (all_up, in_all, up_seconds, cpu_seconds, waits.samples, waits.waiting, torch, os.getloadavg()[0])
    return Throughput(workers, trials * workers, seconds, *found)


def _shares(record: ExperimentRecord, began: datetime, seconds: float) -> tuple[float, float, float]:
    """The share of the ideal throughput when all were up, and in all; and the seconds until all were up.

    Args:
        record: The finished experiment.
        began: When the processes were started.
        seconds: What a worker needs for a trial.
    """
    studies = [each.finished(*Role) for each in record.studies]
    up = max(min(each.started for each in study) for study in studies)
    ends = [[each.ended for each in study if each.ended is not None] for study in studies]
    first, last = min(map(max, ends)), max(map(max, ends))
    between = sum(up < each <= first for study in ends for each in study)
    window = (first - up).total_seconds()
    all_up = between * seconds / len(studies) / window if window > 0 else math.nan
    in_all = sum(map(len, ends)) * seconds / len(studies) / (last - began).total_seconds()
    return all_up, in_all, (up - began).total_seconds()


@contextmanager
def _workers(count: int, folder: Path, **variables: str) -> "Iterator[Sequence[subprocess.Popen[bytes]]]":
    """Worker processes, ended on leaving."""
    command = [sys.executable, "-m", "tuner", "worker"]
    with (folder / "workers.txt").open("ab") as log:
        started = [
            subprocess.Popen(command, cwd=folder, env=environment(**variables), stdout=log, stderr=log)
            for _ in range(count)
        ]
    try:
        yield started
    finally:
        for each in started:
            each.send_signal(signal.SIGTERM)
        for each in started:
            each.wait(60)


def _wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.5)


def _has_loaded(process: int, library: str) -> bool:
    """Whether a process has mapped a library of this name."""
    return library in Path(f"/proc/{process}/maps").read_text()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--trials", type=int, default=30, help="of each study, 20 of them to confirm its winner")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--width", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(workers=given.workers, trials=given.trials, seconds=given.seconds, width=given.width)
    if given.json:
        print(json.dumps(asdict(found)))
        return
    print(f"{found.workers} workers, {found.trials} trials of {found.seconds:g} s, {given.width} at a time each")
    print(f"of the ideal throughput: {found.all_up:.1%} when all were up, {found.in_all:.1%} in all")
    print(f"all up after {found.up_seconds:.0f} s; {found.cpu_seconds:.0f} s of processor time in workers")
    print(f"sessions waiting for a lock: {found.waiting} in {found.samples} looks; workers with torch: {found.torch}")
    print(f"load average at the end: {found.load:.1f}")


if __name__ == "__main__":
    main()

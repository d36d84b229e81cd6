"""What it costs to send a trial to MLflow: processor time of the process that sends it.

Run as `python -m tests.benchmarks.mlflow_runs [--runs 200] [--repeats 5] [--database sqlite postgresql] [--json]`. The
trials are of a synthetic landscape. Each has a curve of 64 measurements of four metrics, which is thinned as always. A
database is new for each repeat. PostgreSQL is a server of our own on this machine, whose own time does not count.

Prints milliseconds a run: the median over the repeats, and the least to the most.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.servers import PostgresqlServer
from tests.tuner.recorded import Held, recorded
from tuner.experiment import Experiment, load
from tuner.experiment.sequences import halton_point
from tuner.recorders.mlflow.connection import ping
from tuner.recorders.mlflow.run_content import RunContent, trial_run
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.patience import Patience
from tuner.records import Role, TrialEnd, TrialPlan, TrialRecord, TrialState
from tuner.trial import Measurement, Outcome

BATCH_SIZE, MEASUREMENTS = 64, 64
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds a run, one for each repeat."""

    database: str
    processor: list[float]
    wall: list[float]


def contents(experiment: Experiment, runs: int) -> Iterator[RunContent]:
    """Trials as MLflow gets them."""
    now = datetime.now(UTC)
    for number in range(runs):
        point = halton_point(experiment.space.at(BATCH_SIZE), number, seed=0)
        metrics = ("train/loss", "validation/loss", "validation/error", "test/error")
        curve = tuple(
            Measurement(step, dict.fromkeys(metrics, (number + 1) / step)) for step in range(1, MEASUREMENTS + 1)
        )
        end = TrialEnd(Outcome.ACHIEVED, MEASUREMENTS, MEASUREMENTS, MEASUREMENTS, 6.0, curve[-1].metrics)
        plan = TrialPlan(number, 0, Role.SEARCH, number, point, 8, "cpu")
        trial = TrialRecord(number, plan, TrialState.FINISHED, end, "", now, now)
        yield trial_run(experiment, trial, end, curve, batch_size=BATCH_SIZE, round=1)


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URI of a database that MLflow has just made; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="m") as folder:
        uri = f"sqlite:///{folder}/mlflow.db" if kind == "sqlite" else PostgresqlServer(Path(folder)).url
        ping(uri, Patience(600))
        yield uri


def measure(kind: str, runs: int, repeats: int) -> Row:
    """So many runs, so many times."""
    row = Row(kind, [], [])
    experiment = load("digits")
    for _ in range(repeats):
        with database(kind) as uri:
            tracking = Tracking(uri, experiment.name, Held(recorded()))
            first, *others = contents(experiment, runs + 1)
            tracking.log(first)  # compiles the statements
            processor, wall = time.process_time(), time.monotonic()
            for each in others:
                tracking.log(each)
            row.processor.append(1000 * (time.process_time() - processor) / runs)
            row.wall.append(1000 * (time.monotonic() - wall) / runs)
    return row


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--database", nargs="+", default=DATABASES, choices=DATABASES)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [measure(kind, given.runs, given.repeats) for kind in given.database]
    if given.json:
        print(json.dumps({"results": [asdict(each) for each in rows]}))
        return
    table = Table("database", "processor, ms a run", "wall, ms a run")
    for row in rows:
        shown = (f"{median(each):.1f} ({min(each):.1f} to {max(each):.1f})" for each in (row.processor, row.wall))
        table.add_row(row.database, *shown)
    Console().print(table)


if __name__ == "__main__":
    main()

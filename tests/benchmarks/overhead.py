"""What a trial costs beyond its training: asking, telling, storing and logging, as a study grows.

Run as `python -m tests.benchmarks.overhead [--trials 100 1000 5000] [--database sqlite postgresql] [--json]`. A study
of digits at batch size 64 that has so many results, of a synthetic landscape, is searched on for `WINDOW` trials by a
worker process, as `tuner run` does it: default sampler, default width, MLflow in a SQLite file of its own. Seconds
count from the first tenth of these to the last, and until MLflow has all. The very same trials are then trained alone,
in the same lanes: measured, but without a sampler, store or MLflow.

Prints milliseconds a trial of wall time: the training alone, and what comes on top of it when the search is done in
memory, and by the program. PostgreSQL is a server of our own on this machine.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.memory import MemoryClaim
from tests.servers import PostgresqlServer
from tests.tuner import synthetic
from tuner.experiment import ConfirmationSettings, Experiment, load
from tuner.experiment.sequences import halton_point
from tuner.recorders import Event, TrialFinished
from tuner.recorders.mlflow.connection import ping
from tuner.recorders.mlflow.recorder import MlflowRecorder
from tuner.recorders.patience import Patience
from tuner.records import Role, StudyRecord, TrialPlan
from tuner.search.cutoff import Cutoff
from tuner.search.loop import Ended, Trial, search
from tuner.search.protocol import StudySearch
from tuner.search.training import StudyTraining
from tuner.service.cores import one_thread
from tuner.service.engine import Job
from tuner.service.local import Local
from tuner.service.signals import Stop
from tuner.stores import Store
from tuner.stores.opening import open_records, open_store
from tuner.trial import Measurement, TrialResult, hash_seed

BATCH_SIZE = 64
WINDOW = 100
WARM_UP = WINDOW // 10
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds of wall time a trial.

    Attributes:
        trials: Results that the study has when it is searched on.
        training: Of the same trials, trained alone.
        in_memory: Beyond that, when they are searched in memory, without store and MLflow.
        overhead: Beyond that, when the program searches them.
        resume_seconds: From the start of a worker process to the first result, imports included.
    """

    database: str
    trials: int
    training: float
    in_memory: float
    overhead: float
    resume_seconds: float


class Laps:
    """When results came in."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.times: list[float] = []

    @property
    def complete(self) -> bool:
        """Whether there are as many as wanted."""
        return len(self.times) == WINDOW

    def note(self) -> None:
        """A result is in; those after the last that is wanted do not count."""
        if not self.complete:
            self.times.append(time.monotonic())

    @property
    def milliseconds(self) -> float:
        """A trial, after the first tenth."""
        return 1000 * (self.times[-1] - self.times[WARM_UP - 1]) / (WINDOW - WARM_UP)


def experiment_of(trials: int) -> Experiment:
    """The preset at one batch size, with points for the window beyond these trials, and hardly a confirmation."""
    digits = load("digits")
    return replace(
        digits,
        name=f"overhead-{trials}",
        batch_sizes=(BATCH_SIZE,),
        search=replace(digits.search, points=trials + WINDOW, max_rounds=1),
        confirmation=ConfirmationSettings(1, 1, 1),
    )


def results(experiment: Experiment, trials: int) -> Iterator[tuple[TrialPlan, TrialResult]]:
    """Trials as a search leaves them: quasi-random points, with the steps of a synthetic landscape."""
    landscape = synthetic.Workload()
    metrics = {"train/loss": 0.1, "validation/loss": 0.1, "validation/error": 0.05, "test/error": 0.05}
    for number in range(trials):
        point = halton_point(experiment.space.at(BATCH_SIZE), number, seed=0)
        end = landscape.run(BATCH_SIZE, point)
        steps = sorted({math.ceil(end.steps * each / 16) for each in range(1, 17)})
        curve = tuple(Measurement(each, metrics) for each in steps)
        plan = TrialPlan(number, 0, Role.SEARCH, hash_seed(number), point, 8, "cpu")
        yield plan, TrialResult(end.outcome, end.steps, end.limit, curve)


def fill(store: Store, experiment: Experiment, trials: int) -> StudyRecord:
    """Store an experiment whose study has so many results."""
    goal = experiment.goal.at(BATCH_SIZE)
    store.submit(experiment)
    with store.claim(experiment.name, BATCH_SIZE) as claim:
        assert claim is not None
        for plan, result in results(experiment, trials):
            claim.finish(claim.start(plan), result, loss=goal.loss(result))
        return claim.record()


def in_program(experiment: Experiment, store_url: str, *, mlflow: str) -> tuple[float, float]:
    """Milliseconds a trial in a worker process, sent to MLflow too; and the seconds to the first result."""
    ping(mlflow, Patience(600))  # imports it, and makes its tables
    recorder = MlflowRecorder(mlflow, lambda: closing(open_records(store_url)), tell=print, patience=600)
    recorder.open(experiment)
    laps = Laps()

    def tell(event: Event) -> None:
        if laps.complete:
            return
        recorder.record(event)
        if isinstance(event, TrialFinished):
            laps.note()
            if laps.complete:
                recorder.close()
                laps.times[-1] = time.monotonic()

    Local(1).run(Job(experiment, store_url, "cpu"), tell, stop=Stop())
    return laps.milliseconds, laps.times[0] - laps.began


def in_memory(experiment: Experiment, study: StudyRecord) -> float:
    """Milliseconds a trial of a search that stores nothing."""
    laps = Laps()

    def emit(event: Event) -> None:
        if isinstance(event, TrialFinished):
            laps.note()

    claim = MemoryClaim(experiment, study)
    training = StudyTraining(
        experiment, experiment.build_objective(), claim, device="cpu", emit=emit, stopping=lambda: False
    )
    StudySearch(training, worker="benchmark", studies=lambda: (claim.record(),)).run(experiment.search.width)
    return laps.milliseconds


def alone(experiment: Experiment, before: StudyRecord, plans: Sequence[TrialPlan]) -> float:
    """Milliseconds a trial of training these, in the order in which the search did."""
    laps, settings = Laps(), experiment.search
    goal = experiment.goal.at(BATCH_SIZE)
    trainer = experiment.build_objective().trainer(BATCH_SIZE, lanes=settings.width, device="cpu")
    with closing(trainer):
        trials = map(Trial, range(len(plans)), plans)
        incumbent, optimism = before.incumbent, settings.optimism
        for each in search(trainer, trials, goal, cutoff=Cutoff(settings.slack, optimism, incumbent)):
            if isinstance(each, Ended):
                laps.note()
    return laps.milliseconds


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of a store that is empty; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="o") as folder:
        yield f"sqlite:///{folder}/store.db" if kind == "sqlite" else PostgresqlServer(Path(folder)).url


def measure(kind: str, counts: Sequence[int]) -> Iterator[Row]:
    """A row for each number of trials."""
    with database(kind) as url, tempfile.TemporaryDirectory() as folder, closing(open_store(url)) as store:
        for trials in counts:
            experiment = experiment_of(trials)
            before = fill(store, experiment, trials)
            program, resumed = in_program(experiment, url, mlflow=f"sqlite:///{folder}/mlflow-{trials}.db")
            (after,) = store.record(experiment.name).studies
            searched = sorted((each.plan for each in after.finished(Role.SEARCH)), key=lambda each: each.point)
            training = alone(experiment, before, searched[trials:])
            yield Row(
                database=kind,
                trials=trials,
                training=training,
                in_memory=in_memory(experiment, before) - training,
                overhead=program - training,
                resume_seconds=resumed,
            )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=(100, 1000, 5000))
    parser.add_argument("--database", nargs="+", default=DATABASES, choices=DATABASES)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    one_thread()
    rows = [row for kind in given.database for row in measure(kind, given.trials)]
    if given.json:
        print(json.dumps({"results": [asdict(each) for each in rows]}))
        return
    table = Table("database", "trials", "training, ms", "in memory, + ms", "program, + ms", "first result, s")
    for row in rows:
        times = (f"{each:.1f}" for each in (row.training, row.in_memory, row.overhead, row.resume_seconds))
        table.add_row(row.database, f"{row.trials:,}", *times)
    Console().print(table)


if __name__ == "__main__":
    main()

"""Everything fails, over and over: `python -m tests.chaos [--minutes M] [--workers N] [--seed S]`.

Workers are killed with SIGKILL every few seconds, PostgreSQL crashes and comes back at once or after a while, MLflow is
away for a while. Meanwhile experiments are submitted. At the end everything is let alone until nothing is open; then
the store must hold exactly what an undisturbed search would have stored, and MLflow, after `tuner sync`, the same.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.commands import environment
from tests.servers import MlflowServer, PostgresqlServer
from tests.toy import SMALL
from tuner.analysis.optimum.confirmation import candidates, pending
from tuner.experiment import parse
from tuner.recorders.mlflow.run_content import TRIAL_TAG, trial_run
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.mlflow.sync import sync
from tuner.records import Curve, ExperimentRecord, Role, StudyRecord, TrialRecord, TrialState
from tuner.stores import Store
from tuner.stores.opening import open_store

SAMPLERS = ("random", "quasi_random", "tpe")
PAUSE = 0.01
OPEN_STUDIES = 6
"""Experiments are submitted whenever fewer studies are open."""
OUTAGE_SECONDS = 15.0
DRAIN_SECONDS = 900.0


@dataclass(slots=True)
class Found:
    """What went wrong, and how much was done to make it go wrong."""

    kills: int = 0
    restarts: int = 0
    lost: int = 0
    duplicated: int = 0
    running: int = 0
    incomplete_curves: int = 0
    mlflow_mismatches: int = 0

    def to_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicated or self.running or self.incomplete_curves or self.mlflow_mismatches)


@dataclass(slots=True)
class Crew:
    """Workers as processes, each replaced when it dies."""

    folder: Path
    variables: dict[str, str]
    log: Path
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    gave_up: int = 0

    def start(self) -> None:
        """One more."""
        with self.log.open("a") as log:
            command = [sys.executable, "-m", "tuner", "worker"]
            started = subprocess.Popen(
                command, cwd=self.folder, env=environment(**self.variables), stdout=log, stderr=log
            )
        self.workers.append(started)

    def kill_one(self, chance: random.Random) -> None:
        """Kill any of them, and start another."""
        victim = self.workers.pop(chance.randrange(len(self.workers)))
        victim.kill()
        victim.wait()
        self.start()

    def replace_ended(self) -> None:
        """Start those anew that gave up, as whoever runs a service does: the store may have been away too long."""
        for each in [each for each in self.workers if each.poll() is not None]:
            self.workers.remove(each)
            self.gave_up += 1
            self.start()

    def end(self) -> list[int]:
        """Ask them all to stop; their exit codes."""
        for each in self.workers:
            each.send_signal(signal.SIGTERM)
        return [each.wait(60) for each in self.workers]

    def abandon(self) -> None:
        """Leave nothing behind."""
        for each in self.workers:
            each.kill()


def experiment(number: int) -> str:
    """The toy with a name and a sampler of its own, and time to be killed in."""
    renamed = SMALL.replace('name = "toy"', f'name = "chaos-{number}"').replace("seed = 3", f"seed = {number}")
    slowed = renamed.replace('kind = "tests.toy:Toy"', f'kind = "tests.toy:Toy"\npause = {PAUSE}')
    return slowed.replace('{ kind = "random" }', f'{{ kind = "{SAMPLERS[number % len(SAMPLERS)]}" }}')


def submit_more(store: Store) -> None:
    """Keep the workers busy."""
    while len(store.open_studies()) < OPEN_STUDIES:
        store.submit(parse(experiment(len(store.names())), source="chaos.toml"))


def disturb(
    crew: Crew,
    postgresql: PostgresqlServer,
    mlflow: MlflowServer,
    *,
    minutes: float,
    chance: random.Random,
) -> Found:
    """Break things for a while; how often it was done."""
    found = Found()
    is_mlflow_up = True
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        time.sleep(chance.uniform(2, 5))
        with closing(open_store(postgresql.url)) as store:
            submit_more(store)
        crew.replace_ended()
        crew.kill_one(chance)
        found.kills += 1
        if found.kills % 6 == 3:
            postgresql.crash()
            time.sleep(OUTAGE_SECONDS if found.kills % 12 == 9 else 0)
            postgresql.start()
            found.restarts += 1
        if found.kills % 8 == 4:
            (mlflow.stop if is_mlflow_up else mlflow.start)()
            is_mlflow_up = not is_mlflow_up
    if not is_mlflow_up:
        mlflow.start()
    return found


def drain(crew: Crew, store: Store) -> None:
    """Wait until nothing is open."""
    end = time.monotonic() + DRAIN_SECONDS
    while store.open_studies() and time.monotonic() < end:
        crew.replace_ended()
        time.sleep(1)


def inspect(found: Found, store: Store) -> None:
    """Count what is wrong in the store."""
    for name in store.names():
        record = store.record(name)
        for study in record.studies:
            curves = {each.round: store.curves(name, study.batch_size, round=each.round) for each in study.rounds}
            finished = study.finished(*Role)
            runs = Counter((each.round, each.plan.role, each.plan.point, each.plan.repeat) for each in finished)
            found.lost += _missing(record, study)
            found.duplicated += sum(runs.values()) - len(runs)
            found.running += sum(each.state is TrialState.RUNNING for each in study.all_trials(*Role))
            found.incomplete_curves += sum(not _is_whole(each, curves[each.round]) for each in finished)


def _missing(record: ExperimentRecord, study: StudyRecord) -> int:
    """Trials of a study's budget that have no result, or more than it allows."""
    searched = len({each.plan.point for each in study.finished(Role.SEARCH)})
    asked = abs(record.experiment.search.points_by(study.round, second_look=study.is_second_look) - searched)
    settings = record.experiment.confirmation
    left = pending(study, candidates(study, record.studies, settings), settings)
    return asked + len(left) + (not study.complete) + bool(study.error)


def _is_whole(trial: TrialRecord, curves: Mapping[int, Curve]) -> bool:
    """Whether a trial has a measurement at every step it was trained for: the toy measures each."""
    steps = [each.step for each in curves.get(trial.number, ())]
    return trial.end is not None and steps == list(range(1, trial.end.spent + 1))


def mismatches(store: Store, name: str, *, tracking_uri: str) -> int:
    """Trials that MLflow has not once, whole and as the store has them; and runs of what are none."""
    record = store.record(name)
    runs: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for each in Tracking(tracking_uri, name).runs(TRIAL_TAG):
        runs.setdefault(each.tags[TRIAL_TAG], []).append((each.status, dict(each.metrics)))
    wrong = 0
    for study in record.studies:
        for one in study.rounds:
            curves = store.curves(name, one.batch_size, round=one.round)
            for trial in one.finished(*Role):
                assert trial.end is not None
                content = trial_run(
                    record.experiment,
                    trial,
                    trial.end,
                    curves[trial.number],
                    batch_size=one.batch_size,
                    round=one.round,
                )
                last = {each.name: each.value for each in content.metrics}
                wrong += runs.pop(content.tags[TRIAL_TAG], []) != [(content.status, last)]
    return wrong + len(runs)


def main(arguments: list[str] | None = None) -> int:
    """Make chaos, and say what survived; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        data = tempfile.mkdtemp(prefix="chaos-postgres-")
        postgresql, mlflow = PostgresqlServer(Path(data)), MlflowServer(folder)
        mlflow.start()
        stack.callback(mlflow.stop)
        variables = {"TUNER_STORE": postgresql.url, "MLFLOW_TRACKING_URI": mlflow.url}
        crew = Crew(folder, variables, folder / "workers.txt")
        stack.callback(crew.abandon)
        with closing(open_store(postgresql.url)) as store:
            submit_more(store)
        for _ in range(given.workers):
            crew.start()
        found = disturb(crew, postgresql, mlflow, minutes=given.minutes, chance=random.Random(given.seed))
        with closing(open_store(postgresql.url)) as store:
            drain(crew, store)
            codes = crew.end()
            inspect(found, store)
            for name in store.names():
                sync(store.record(name), partial(store.curves, name), Tracking(mlflow.url, name))
                found.mlflow_mismatches += mismatches(store, name, tracking_uri=mlflow.url)
            trials = sum(len(study.finished(*Role)) for name in store.names() for study in store.record(name).studies)
            print(f"{len(store.names())} experiments, {trials} finished trials")
        print(f"exit codes at the end: {codes}; workers that had given up: {crew.gave_up}")
    print(json.dumps(found.to_json()))
    return 0 if found.is_clean and not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main())

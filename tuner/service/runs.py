"""A run: an experiment is submitted, searched by the workers of an engine, recorded, and reported."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from tuner.analysis.summary import Results
from tuner.errors import RecorderError, ReportError, RunCutShort, StoreError, StoreUnreachable, TunerError
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, Recorder, StudyBroken
from tuner.recorders.mlflow.overview import log_answers, log_report, log_weights
from tuner.recorders.mlflow.recorder import MlflowRecorder
from tuner.recorders.mlflow.runs import PATIENCE_SECONDS, Tracking
from tuner.recorders.patience import NoAnswer, Patience, within
from tuner.recorders.progress.display import progress
from tuner.records import CurvesOf, ExperimentRecord, ExperimentState, no_curves
from tuner.reports.findings import Findings, findings
from tuner.reports.page import prepare_folder, write_findings
from tuner.search.checkpoints import CheckpointFolder
from tuner.search.tasks.contract import Task
from tuner.search.tasks.searching import Searching
from tuner.search.weights import save_weights
from tuner.service.cores import aside
from tuner.service.engine import Engine, Job
from tuner.service.locations import RunLocations
from tuner.service.signals import Stop
from tuner.stores import Records, Store, curves_in
from tuner.stores.opening import open_records, open_store
from tuner.stores.retries import Patience as StorePatience

LEAST_SECONDS = 1.0
"""How long each thing that is left to do at the end of an interrupted run may take in any case."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        results: What the record holds now.
        report: The report's page, or why it could not be written.
        interrupted: Whether it was asked to stop before its end.
        broken: The studies that broke.
        state: Whether workers may go on with the experiment.
        is_done: Whether nothing is left of what the run was for.
        not_logged: Why MLflow has no report of this run; empty if it has, or if there is no report.
    """

    results: Results
    report: Path | ReportError
    interrupted: bool
    broken: Sequence[StudyBroken]
    state: ExperimentState
    is_done: bool
    not_logged: str = ""

    @property
    def exit_code(self) -> int:
        """0 when everything is there, 1 when something is missing, 130 when it was interrupted."""
        if self.interrupted:
            return 130
        return 0 if self.is_done else 1


def run_and_log(
    experiment: Experiment,
    engine: Engine,
    where: RunLocations,
    *,
    device: str,
    task: Task = Searching(),  # noqa: B008 - it has no state
    console: Console | None = None,
) -> RunOutcome:
    """Run an experiment, show its progress on standard output, or another, and log it and its report to MLflow.

    Raises:
        StoreError: The store cannot be used, or the experiment's name is taken by other settings.
        ReportError: The report's folder cannot be written to; said before anything is trained.
        RunCutShort: It was asked to stop, and the store did not say in time what it holds.
        TunerError: This is not the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise TunerError("a run handles Ctrl-C, which only the main thread can: start it there, or in a process")
    console = console or Console(highlight=False)
    display = progress(console)
    logger = MlflowRecorder(where.tracking, _stored_in(where), tell=display.record, points=where.curve_points)
    stop = Stop()
    outcome = run(
        experiment,
        engine,
        [display, logger],
        store_url=where.store,
        device=device,
        folder=where.report,
        checkpoints=where.checkpoints,
        stop=stop,
        task=task,
    )
    seconds = min(logger.seconds_left, max(LEAST_SECONDS, stop.left - LEAST_SECONDS))
    tell = partial(print, file=console.file)
    not_logged = "" if logger.has_failed else _try_to_log_report(outcome, where, seconds=seconds, tell=tell)
    return replace(outcome, not_logged=not_logged)


def run(
    experiment: Experiment,
    engine: Engine,
    recorders: Sequence[Recorder],
    *,
    store_url: str,
    device: str,
    folder: Path,
    checkpoints: CheckpointFolder | None = None,
    stop: Stop,
    task: Task = Searching(),  # noqa: B008 - it has no state
) -> RunOutcome:
    """Run an experiment to its end, or until the process is asked to stop; then report what is there.

    The first of the recorders is closed last: it may show what the others have to say. By default the experiment is
    searched; `task` may be another one.

    Raises:
        StoreError: The store cannot be used, or the experiment's name is taken by other settings.
        RunCutShort: It was asked to stop, and the store did not say in time what it holds.
        ReportError: The report's folder cannot be written to; said before anything is trained.
    """
    prepare_folder(folder)
    telling = _Telling(recorders)
    with closing(open_store(store_url)) as store:
        added = task.submit(store, experiment)
        stored = store.record(experiment.name)
        experiment, studies = stored.experiment, stored.studies  # it may have the defaults of an earlier version
        telling.begin(experiment, added, task.before(studies))
        job = Job(experiment, store_url, device, checkpoints, task)
        try:
            to_the_end = task.is_done(studies) or engine.run(job, telling, stop=stop)
        finally:
            for recorder in reversed(recorders):
                _close(recorder, stop)
        record = _final_record(store, experiment.name, stop)
        found = findings(record, curves=_curves_for_report(store, experiment.name, stop), aside=aside)
        report = _try_to_write(found, folder, store.url)
    is_done = task.is_done(record.studies)
    return RunOutcome(found.results, report, not to_the_end, telling.broken, record.state, is_done)


def _close(recorder: Recorder, stop: Stop) -> None:
    """Let a recorder finish; one that hangs is left behind when the run was asked to stop."""
    with suppress(NoAnswer):
        within(stop.left / 3, recorder.close)


def _final_record(store: Store, name: str, stop: Stop) -> ExperimentRecord:
    """What the store holds at the end of a run; waited for, unless it was asked to stop. Raises `RunCutShort`."""
    if math.isinf(stop.left):
        return StorePatience().retry(lambda: store.record(name))
    try:
        return within(max(LEAST_SECONDS, stop.left / 2), lambda: store.record(name))
    except (StoreUnreachable, NoAnswer) as error:
        message = "interrupted; the store does not answer, so that there is no report"
        raise RunCutShort(f"{message}: `tuner report {name}` makes it, and `tuner run` goes on") from error


def _curves_for_report(store: Store, name: str, stop: Stop) -> CurvesOf:
    """Reads the curves of an experiment; none if the run was asked to stop, which does not wait for them."""
    return curves_in(store, name) if math.isinf(stop.left) else no_curves


def _try_to_write(found: Findings, folder: Path, store: str) -> Path | ReportError:
    """The report, or why there is none. The results are returned in either case."""
    try:
        return write_findings(found, folder, store=store, aside=aside)
    except ReportError as error:
        return error
    except StoreError as error:
        name = found.experiment.name
        return ReportError(f"there is no report: {error}; `tuner report {name}` makes it")


def save_models(experiment: Experiment, where: RunLocations) -> Iterator[str]:
    """Save the weights of every confirmed winner in the report's folder, and in MLflow.

    Yields:
        For each winner a line that says where its weights are, and if MLflow does not have them, why.

    Raises:
        TunerError: The training code does not give its weights, or a file cannot be written.
    """
    with closing(open_store(where.store)) as store:
        record = store.record(experiment.name)
    patience = Patience(PATIENCE_SECONDS)
    for each in save_weights(record, where.report / "models"):
        try:
            with _stored_in(where)() as store:
                tracking = Tracking(where.tracking, experiment.name, store, patience=patience)
                log_weights(record.experiment, each.batch_size, each.round, each.file, tracking)
            missing = ""
        except (RecorderError, StoreError) as error:
            missing = f"; they are not in MLflow: {error}"
        yield f"weights of the winner of batch size {each.batch_size}: {each.file}{missing}"


def _stored_in(where: RunLocations) -> Callable[[], AbstractContextManager[Records]]:
    """Opens the store of a run, to be read."""
    return lambda: closing(open_records(where.store))


def _try_to_log_report(outcome: RunOutcome, where: RunLocations, *, seconds: float, tell: Callable[[str], None]) -> str:
    """Log the report of a run and its answers to MLflow. Returns what went wrong, else an empty string.

    Args:
        outcome: The run's.
        where: Where its store and MLflow are.
        seconds: How long MLflow is waited for.
        tell: Is given a line if that takes long.
    """
    if isinstance(outcome.report, ReportError):
        return ""
    folder, name = outcome.report.parent, outcome.results.experiment.name

    def log() -> None:
        with _stored_in(where)() as store:
            patience = Patience(seconds, total=seconds, tell=tell)
            tracking = Tracking(where.tracking, name, store, patience=patience)
            log_report(name, folder, tracking)
            log_answers(outcome.results, tracking)

    try:
        within(seconds + LEAST_SECONDS, log)  # the store may not answer either
    except (RecorderError, StoreError) as error:
        return str(error)
    except NoAnswer:
        return f"it was not waited for any longer; `tuner sync {name}` adds what it lacks"
    return ""


@dataclass(frozen=True, slots=True)
class _Telling:
    """Passes events on to every recorder, and remembers the studies that broke."""

    recorders: Sequence[Recorder]
    broken: list[StudyBroken] = field(default_factory=list)

    def begin(self, experiment: Experiment, added: Sequence[str], before: Sequence[Event]) -> None:
        """Tell every recorder whose events follow, what was added to the experiment, and what was there before."""
        for recorder in self.recorders:
            recorder.open(experiment)
        if added:
            self(Notice(f"{experiment.name} is given more: {', '.join(added)}; what it has is kept"))
        for event in before:
            self(event)

    def __call__(self, event: Event) -> None:
        if isinstance(event, StudyBroken):
            self.broken.append(event)
        for recorder in self.recorders:
            recorder.record(event)

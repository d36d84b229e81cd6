"""A run: an experiment is submitted, searched by the workers of an engine, recorded, and reported."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from tuner.analysis.summary import Results
from tuner.errors import RecorderError, ReportError, TunerError
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, Recorder, StudyBroken, StudyFinished
from tuner.recorders.mlflow.overview import log_answers, log_report, log_weights
from tuner.recorders.mlflow.recorder import MlflowRecorder
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.progress.display import progress
from tuner.records import ExperimentState, StudyRecord
from tuner.reports.findings import Findings, findings
from tuner.reports.page import prepare_folder, write_findings
from tuner.search.checkpoints import CheckpointFolder
from tuner.search.weights import save_weights
from tuner.service.engine import Engine, Job
from tuner.service.locations import RunLocations
from tuner.stores.opening import open_store


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        results: What the record holds now.
        report: The report's page, or why it could not be written.
        interrupted: Whether it was asked to stop before its end.
        broken: The studies that broke.
        state: Whether workers may go on with the experiment.
        not_logged: Why MLflow has no report of this run; empty if it has, or if there is no report.
    """

    results: Results
    report: Path | ReportError
    interrupted: bool
    broken: Sequence[StudyBroken]
    state: ExperimentState
    not_logged: str = ""

    @property
    def exit_code(self) -> int:
        """0 when everything is there, 1 when something is missing, 130 when it was interrupted."""
        if self.interrupted:
            return 130
        return 0 if all(each.complete for each in self.results.studies) else 1


def run_and_log(experiment: Experiment, engine: Engine, where: RunLocations, *, device: str) -> RunOutcome:
    """Run an experiment, show its progress on standard output, and log it and its report to MLflow.

    Raises:
        StoreError: The store cannot be used, or the experiment's name is taken by other settings.
        ReportError: The report's folder cannot be written to; said before anything is trained.
        TunerError: This is not the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise TunerError("a run handles Ctrl-C, which only the main thread can: start it there, or in a process")
    display = progress(Console(highlight=False))
    logger = MlflowRecorder(where.tracking, tell=display.record, points=where.curve_points)
    outcome = run(
        experiment,
        engine,
        [display, logger],
        store_url=where.store,
        device=device,
        folder=where.report,
        checkpoints=where.checkpoints,
    )
    not_logged = "" if logger.has_failed else _try_to_log_report(outcome, tracking_uri=where.tracking)
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
) -> RunOutcome:
    """Run an experiment to its end, or until the process is asked to stop; then report what is there.

    The first of the recorders is closed last: it may show what the others have to say.

    Raises:
        StoreError: The store cannot be used, or the experiment's name is taken by other settings.
        ReportError: The report's folder cannot be written to; said before anything is trained.
    """
    prepare_folder(folder)
    telling = _Telling(recorders)
    with closing(open_store(store_url)) as store:
        added = store.submit(experiment)
        store.reopen(experiment.name)  # what kept failing may have been repaired
        stored = store.record(experiment.name)
        experiment, studies = stored.experiment, stored.studies  # it may have the defaults of an earlier version
        for recorder in recorders:
            recorder.open(experiment)
        _tell_of_the_past(telling, experiment.name, added, studies)
        job = Job(experiment, store_url, device, checkpoints)
        try:
            to_the_end = all(each.complete for each in studies) or engine.run(job, telling)
        finally:
            for recorder in reversed(recorders):
                recorder.close()
        record = store.record(experiment.name)
        found = findings(record)
        report = _try_to_write(found, folder, store.url)
    return RunOutcome(found.results, report, not to_the_end, telling.broken, record.state)


def _tell_of_the_past(
    tell: Callable[[Event], None], name: str, added: Sequence[str], studies: Sequence[StudyRecord]
) -> None:
    """Tell what was added to the experiment just now, and which studies are complete: no worker will claim them."""
    if added:
        tell(Notice(f"{name} is given more: {', '.join(added)}; what it has is kept"))
    for study in studies:
        if study.complete:
            tell(StudyFinished(study))


def _try_to_write(found: Findings, folder: Path, store: str) -> Path | ReportError:
    """The report, or why there is none. The results are returned in either case."""
    try:
        return write_findings(found, folder, store=store)
    except ReportError as error:
        return error


def save_models(experiment: Experiment, where: RunLocations) -> Iterator[str]:
    """Save the weights of every confirmed winner in the report's folder, and in MLflow.

    Yields:
        For each winner a line that says where its weights are, and if MLflow does not have them, why.

    Raises:
        TunerError: The training code does not give its weights, or a file cannot be written.
    """
    with closing(open_store(where.store)) as store:
        record = store.record(experiment.name)
    for each in save_weights(record, where.report / "models"):
        try:
            tracking = Tracking(where.tracking, experiment.name)
            log_weights(record.experiment, each.batch_size, each.round, each.file, tracking)
            missing = ""
        except RecorderError as error:
            missing = f"; they are not in MLflow: {error}"
        yield f"weights of the winner of batch size {each.batch_size}: {each.file}{missing}"


def _try_to_log_report(outcome: RunOutcome, *, tracking_uri: str) -> str:
    """Log the report of a run and its answers to MLflow. Returns what went wrong, else an empty string."""
    if isinstance(outcome.report, ReportError):
        return ""
    try:
        tracking = Tracking(tracking_uri, outcome.results.experiment.name)
        log_report(outcome.results.experiment.name, outcome.report.parent, tracking)
        log_answers(outcome.results, tracking)
    except RecorderError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True)
class _Telling:
    """Passes events on to every recorder, and remembers the studies that broke."""

    recorders: Sequence[Recorder]
    broken: list[StudyBroken] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if isinstance(event, StudyBroken):
            self.broken.append(event)
        for recorder in self.recorders:
            recorder.record(event)

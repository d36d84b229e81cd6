"""What MLflow shows of an experiment as a whole: the answers of its studies, its description and its report."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tuner.analysis.summary import Results
from tuner.errors import RecorderError
from tuner.experiment import Experiment
from tuner.recorders.mlflow.accepted import TAG_LENGTH, cut
from tuner.recorders.mlflow.answers import Answer, answer, is_answer, superseded
from tuner.recorders.mlflow.descriptions import experiment_description
from tuner.recorders.mlflow.ownership import KIND, KIND_TAG, StoredRun
from tuner.recorders.mlflow.run_content import (
    DIGEST_TAG,
    REPORT_TAG,
    STUDY_TAG,
    MetricValue,
    RunContent,
    RunStatus,
)
from tuner.recorders.mlflow.runs import Tracking
from tuner.records import study_name

NOTE_TAG = "mlflow.note.content"
"""MLflow's tag for a description."""
WEIGHTS_TAG = "tuner.weights"
"""The tag of a study's run that has its winner's weights: the name of their file."""
NOTE_DIGEST_TAG = "tuner.note"
"""The tag that says which description we wrote: one that people have changed since is theirs."""


def log_answers(found: Results, tracking: Tracking) -> None:
    """Bring the answer of every study to the run of its last round, and the scaling table to the experiment.

    Doing it again changes nothing. A description that somebody has changed in MLflow stays as it is.

    Raises:
        RecorderError: MLflow cannot be reached or refuses.
    """
    experiment = found.experiment
    wanted: dict[str, Answer] = {}
    for study in found.studies:
        for each in range(1, study.rounds):
            wanted[study_name(experiment.name, study.batch_size, each)] = superseded(each)
        wanted[study_name(experiment.name, study.batch_size, study.rounds)] = answer(experiment, study)
    for run in tracking.runs(STUDY_TAG):
        if run.tags.get(DIGEST_TAG) == experiment.digest and run.tags[STUDY_TAG] in wanted:
            log_answer(tracking, run, wanted[run.tags[STUDY_TAG]])
    report = next(tracking.runs(REPORT_TAG), None)
    link = "" if report is None else _artifacts(tracking, report)
    if tracking.is_shared:
        return  # what MLflow says of the experiment as a whole is the other store's
    text = experiment_description(found, link)
    _describe(text, tracking.experiment_tags, tracking.tag_experiment)
    if KIND_TAG not in tracking.experiment_tags:
        tracking.tag_experiment(KIND_TAG, KIND)


def log_answer(tracking: Tracking, run: StoredRun, wanted: Answer) -> None:
    """Bring to the run of a study what its answer has and the run has not.

    A metric that the answer lacks becomes not a number, since MLflow deletes none. Values are timed now: MLflow takes
    the latest of several for the metric's.

    Args:
        tracking: Where the run is.
        run: As MLflow has it.
        wanted: What it is to say.

    Raises:
        RecorderError: MLflow cannot be reached or refuses.
    """
    now = time.time_ns() // 1_000_000
    stale = {name for name, value in run.metrics.items() if is_answer(name) and not math.isnan(value)}
    changed = {name: value for name, value in wanted.metrics.items() if run.metrics.get(name) != value}
    changed |= dict.fromkeys(stale - wanted.metrics.keys(), math.nan)
    tags = {name: value for name, value in wanted.tags.items() if run.tags.get(name, "") != value}
    _describe(wanted.description, run.tags, tags.__setitem__)
    if changed or tags:
        values = [MetricValue(name, value, 0, now) for name, value in changed.items()]
        tracking.add(run.run_id, metrics=values, tags=tags)


def log_report(experiment_name: str, folder: Path, tracking: Tracking, *, restore: bool = False) -> bool:
    """Store an experiment's report and its figures as artifacts of a run named `report`.

    Args:
        experiment_name: Whose report it is.
        folder: Where it is.
        tracking: The experiment in MLflow.
        restore: Whether a report that was deleted in MLflow is to be there again.

    Returns:
        Whether anything was stored: False if MLflow has these very files, or if the report stays deleted there.

    Raises:
        RecorderError: There is no report, or MLflow cannot be reached or refuses.
    """
    files = sorted(each for each in folder.glob("*") if each.name == "report.html" or each.suffix in {".png", ".svg"})
    if not any(each.name == "report.html" for each in files):
        raise RecorderError(f"{folder} holds no report.html; `tuner report {experiment_name}` makes it")
    digest = hashlib.sha256(b"".join(each.name.encode() + each.read_bytes() for each in files)).hexdigest()
    copies = sorted(tracking.runs(REPORT_TAG, deleted=True), key=lambda each: each.is_deleted)
    stored = copies[0] if copies else None
    if stored is not None and stored.is_deleted and restore:
        tracking.restore(stored.run_id)
    elif stored is not None and stored.is_deleted:
        return False
    if stored is not None and stored.tags[REPORT_TAG] == digest:
        return False
    now = time.time_ns() // 1_000_000
    content = RunContent("report", {REPORT_TAG: "incomplete"}, {}, (), RunStatus.FINISHED, started=now, ended=now)
    run_id = stored.run_id if stored is not None else tracking.log(content)
    tracking.store_files(run_id, files)
    tracking.tag(run_id, REPORT_TAG, digest)
    return True


def log_weights(experiment: Experiment, batch_size: int, round: int, file: Path, tracking: Tracking) -> None:
    """Store the weights of a winner as an artifact of its study's run. Doing it again changes nothing.

    Raises:
        RecorderError: MLflow cannot be reached or refuses.
    """
    study = study_name(experiment.name, batch_size, round)
    for run in tracking.runs(STUDY_TAG):
        is_its = run.tags[STUDY_TAG] == study and run.tags.get(DIGEST_TAG) == experiment.digest
        if is_its and run.tags.get(WEIGHTS_TAG) != file.name:
            tracking.store_files(run.run_id, [file])
            tracking.tag(run.run_id, WEIGHTS_TAG, file.name)


def report_is_deleted(tracking: Tracking) -> bool:
    """Whether MLflow had the report, and somebody has deleted it. Raises `RecorderError`."""
    copies = list(tracking.runs(REPORT_TAG, deleted=True))
    return bool(copies) and all(each.is_deleted for each in copies)


def _describe(text: str, tags: Mapping[str, str], put: Callable[[str, str], None]) -> None:
    """Put a description into tags, unless it is there already or somebody has written another.

    Args:
        text: The description.
        tags: Those that there are.
        put: Sets a tag.
    """
    text = cut(text, TAG_LENGTH)
    there = tags.get(NOTE_TAG, "")
    if there != text and (not there or tags.get(NOTE_DIGEST_TAG) == _digest(there)):
        put(NOTE_TAG, text)
        put(NOTE_DIGEST_TAG, _digest(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _artifacts(tracking: Tracking, run: StoredRun) -> str:
    """The place of a run's artifacts within MLflow's page."""
    return f"#/experiments/{tracking.experiment_id}/runs/{run.run_id}/artifacts/report.html"

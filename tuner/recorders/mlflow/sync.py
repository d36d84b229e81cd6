"""Brings MLflow up to date with the store: adds whatever it lacks, and changes nothing else."""

import functools
import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tuner.analysis.summary import Results
from tuner.errors import RecorderError
from tuner.recorders.mlflow.run_content import (
    DIGEST_TAG,
    DOUBT_TAG,
    REPORT_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    RunContent,
    RunStatus,
    study_run,
    trial_key,
    trial_run,
    utc_milliseconds,
)
from tuner.recorders.mlflow.runs import PARENT_TAG, StoredRun, Tracking
from tuner.records import Curve, ExperimentRecord, Role, StudyRecord, TrialEnd, TrialRecord, study_name

Fate = Literal["created", "completed", "removed", "present"]


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """What became of the runs of an experiment's studies and trials.

    Attributes:
        created: Runs that MLflow did not have.
        completed: Runs that it had in part, as a killed process leaves them.
        removed: Second copies of a run, as a lost answer and a retry leave them.
        present: Runs that it had whole.
    """

    created: int
    completed: int
    removed: int
    present: int

    @property
    def sentence(self) -> str:
        """What was done, for a person."""
        done = f"{self.created} runs created, {self.completed} completed, {self.present} there already"
        return f"{done}, {self.removed} second copies removed" if self.removed else done


class CurvesOf(Protocol):
    """Reads the curves of a batch size's trials in one round, by number, as a store does."""

    def __call__(self, batch_size: int, *, round: int) -> Mapping[int, Curve]: ...


def sync(record: ExperimentRecord, curves: CurvesOf, *, tracking_uri: str) -> SyncCounts:
    """Add to MLflow what it lacks of an experiment. Doing it again changes nothing.

    Args:
        record: What the store knows.
        curves: Asked only for studies that lack something.
        tracking_uri: Where MLflow is.

    Raises:
        RecorderError: MLflow cannot be reached or refuses.
    """
    return _Sync(record, curves, Tracking(tracking_uri, record.experiment.name)).run()


def log_report(experiment_name: str, folder: Path, *, tracking_uri: str) -> bool:
    """Store an experiment's report and its figures as artifacts of a run named `report`.

    Returns:
        Whether there was anything to store: False if MLflow has these very files.

    Raises:
        RecorderError: There is no report, or MLflow cannot be reached or refuses.
    """
    files = sorted(each for each in folder.glob("*") if each.name == "report.html" or each.suffix in {".png", ".svg"})
    if not any(each.name == "report.html" for each in files):
        raise RecorderError(f"{folder} holds no report.html; `tuner report {experiment_name}` makes it")
    digest = hashlib.sha256(b"".join(each.name.encode() + each.read_bytes() for each in files)).hexdigest()
    tracking = Tracking(tracking_uri, experiment_name)
    stored = next(tracking.runs(REPORT_TAG), None)
    if stored is not None and stored.tags[REPORT_TAG] == digest:
        return False
    now = time.time_ns() // 1_000_000
    content = RunContent("report", {REPORT_TAG: "incomplete"}, {}, (), RunStatus.FINISHED, started=now, ended=now)
    run_id = stored.run_id if stored is not None else tracking.log(content)
    tracking.store_files(run_id, files)
    tracking.tag(run_id, REPORT_TAG, digest)
    return True


def log_doubts(found: Results, *, tracking_uri: str) -> None:
    """Tag the run of each study whose optimum is in doubt, and untag those that no longer are.

    Raises:
        RecorderError: MLflow cannot be reached or refuses.
    """
    experiment = found.experiment
    wanted = {
        study_name(experiment.name, each.batch_size, each.rounds): each.doubt.sentence if each.doubt is not None else ""
        for each in found.studies
    }
    tracking = Tracking(tracking_uri, experiment.name)
    for each in tracking.runs(STUDY_TAG):
        doubt = wanted.get(each.tags[STUDY_TAG], "")
        if each.tags.get(DIGEST_TAG) == experiment.digest and each.tags.get(DOUBT_TAG, "") != doubt:
            tracking.tag(each.run_id, DOUBT_TAG, doubt)


class _Sync:
    """One pass over an experiment.

    A trial's run is known by the trial's name and start, so that an experiment of the same name in another store is
    not taken for this one; a study's by its name and the experiment's settings.
    """

    def __init__(self, record: ExperimentRecord, curves: CurvesOf, tracking: Tracking) -> None:
        self._record = record
        self._curves = curves
        self._tracking = tracking
        self._counts: Counter[Fate] = Counter()
        self._studies: defaultdict[tuple[str, str], list[StoredRun]] = defaultdict(list)
        for each in tracking.runs(STUDY_TAG):
            self._studies[each.tags[STUDY_TAG], each.tags.get(DIGEST_TAG, "")].append(each)
        self._trials: defaultdict[tuple[str, int], list[StoredRun]] = defaultdict(list)
        for each in tracking.runs(TRIAL_TAG):
            self._trials[each.tags[TRIAL_TAG], each.started].append(each)

    def run(self) -> SyncCounts:
        for study in self._record.studies:
            for each in study.rounds:
                if each.finished(*Role):
                    self._sync_round(each)
        count = self._counts
        return SyncCounts(count["created"], count["completed"], count["removed"], count["present"])

    def _sync_round(self, study: StudyRecord) -> None:
        content = study_run(self._record.experiment, study)
        stored = self._kept(self._studies[content.tags[STUDY_TAG], content.tags[DIGEST_TAG]])
        if stored is not None and stored.status == content.status and _has_metrics(stored, content):
            self._counts["present"] += 1
            parent = stored.run_id
        else:
            parent = self._bring(stored, content)
        curves = functools.cache(lambda: self._curves(study.batch_size, round=study.round))
        for each in study.trials:
            if each.end is not None:
                self._sync_trial(study, each, each.end, parent=parent, curves=curves)

    def _sync_trial(
        self,
        study: StudyRecord,
        trial: TrialRecord,
        end: TrialEnd,
        *,
        parent: str,
        curves: Callable[[], Mapping[int, Curve]],
    ) -> None:
        experiment = self._record.experiment
        key = trial_key(experiment, batch_size=study.batch_size, round=study.round, number=trial.number)
        stored = self._kept(self._trials[key, utc_milliseconds(trial.started)])
        if stored is not None and stored.status == RunStatus.FINISHED and stored.tags.get(PARENT_TAG) == parent:
            self._counts["present"] += 1
            return
        curve = curves().get(trial.number, ())
        content = trial_run(experiment, trial, end, curve, batch_size=study.batch_size, round=study.round)
        self._bring(stored, content, parent=parent)

    def _kept(self, copies: Sequence[StoredRun]) -> StoredRun | None:
        """The one copy of a run that stays: a whole one if there is, or the oldest. The others are removed."""
        ordered = sorted(copies, key=lambda each: each.status != RunStatus.FINISHED)
        for each in ordered[1:]:
            self._tracking.remove(each.run_id)
            self._counts["removed"] += 1
        return ordered[0] if ordered else None

    def _bring(self, stored: StoredRun | None, content: RunContent, *, parent: str | None = None) -> str:
        """Create a run or complete it; its id."""
        self._counts["created" if stored is None else "completed"] += 1
        if stored is None:
            return self._tracking.log(content, parent=parent)
        if parent is not None and stored.tags.get(PARENT_TAG) != parent:
            self._tracking.tag(stored.run_id, PARENT_TAG, parent)
        self._tracking.complete(stored.run_id, content)
        return stored.run_id


def _has_metrics(stored: StoredRun, content: RunContent) -> bool:
    return all(stored.metrics.get(each.name) == each.value for each in content.metrics)

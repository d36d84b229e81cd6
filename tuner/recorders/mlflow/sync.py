"""Brings MLflow up to date with the store: adds whatever it lacks, and changes nothing else."""

import functools
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from tuner.experiment.workload.names import is_loggable
from tuner.recorders.mlflow.ownership import StoredRun
from tuner.recorders.mlflow.run_content import (
    CURVE_TAG,
    DIGEST_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    RunContent,
    RunStatus,
    study_run,
    trial_key,
    trial_run,
    utc_milliseconds,
)
from tuner.recorders.mlflow.runs import PARENT_TAG, Tracking
from tuner.recorders.mlflow.workload import workload_parameters
from tuner.recorders.patience import silent
from tuner.records import PROTOCOL, SHOWN, Curve, ExperimentRecord, Role, StudyRecord, TrialEnd, TrialRecord

TOLD_EVERY_SECONDS = 10.0
"""How often a sync that takes long says how far it is."""

Fate = Literal["created", "completed", "removed", "present", "deleted", "restored"]


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """What became of the runs of an experiment's studies and trials.

    Attributes:
        created: Runs that MLflow did not have.
        completed: Runs that it had in part, as a killed process leaves them.
        removed: Second copies of a run, as a lost answer and a retry leave them.
        present: Runs that it had whole.
        deleted: Runs that somebody deleted in MLflow, and that stay so.
        restored: Runs that somebody deleted in MLflow, and that are there again.
    """

    created: int
    completed: int
    removed: int
    present: int
    deleted: int = 0
    restored: int = 0

    @property
    def sentence(self) -> str:
        """What was done, for a person."""
        done = f"{self.created} runs created, {self.completed} completed, {self.present} there already"
        again = f", {self.restored} restored" if self.restored else ""
        copies = f", {self.removed} second copies removed" if self.removed else ""
        return f"{done}{again}{copies}"


class CurvesOf(Protocol):
    """Reads the curves of a batch size's trials in one round, by number, as a store does."""

    def __call__(self, batch_size: int, *, round: int) -> Mapping[int, Curve]: ...


def sync(
    record: ExperimentRecord,
    curves: CurvesOf,
    tracking: Tracking,
    *,
    points: int = SHOWN,
    restore: bool = False,
    tell: Callable[[str], None] = silent,
) -> SyncCounts:
    """Add to MLflow what it lacks of an experiment. Doing it again changes nothing.

    Args:
        record: What the store knows.
        curves: Asked only for studies that lack something.
        tracking: The experiment in MLflow. If it is deleted there, all its runs are, and nothing can be added.
        points: Measurements of each curve that MLflow has at the least.
        restore: Whether runs that were deleted in MLflow are to be there again.
        tell: Is given a line now and then, if it takes long.

    Raises:
        RecorderError: MLflow cannot be reached or refuses.
    """
    return _Sync(record, curves, tracking, points, restore=restore, tell=tell).run()


class _Sync:
    """One pass over an experiment.

    A trial's run is known by the trial's name and start, so that a trial of an experiment that was deleted is not taken
    for one of its successor's; a study's by its name and the experiment's settings. Of other stores nothing is seen.
    """

    def __init__(
        self,
        record: ExperimentRecord,
        curves: CurvesOf,
        tracking: Tracking,
        points: int,
        *,
        restore: bool,
        tell: Callable[[str], None],
    ) -> None:
        self._record = record
        self._curves = curves
        self._tracking = tracking
        self._points = points
        self._restore = restore
        self._tell = tell
        self._told = time.monotonic()
        self._workload = {name for name in workload_parameters(record.experiment) if is_loggable(name)}
        self._counts: Counter[Fate] = Counter()
        self._studies: defaultdict[tuple[str, str], list[StoredRun]] = defaultdict(list)
        for each in tracking.runs(STUDY_TAG, deleted=True):
            self._studies[each.tags[STUDY_TAG], each.tags.get(DIGEST_TAG, "")].append(each)
        self._trials: defaultdict[tuple[str, int], list[StoredRun]] = defaultdict(list)
        for each in tracking.runs(TRIAL_TAG, deleted=True):
            self._trials[each.tags[TRIAL_TAG], each.started].append(each)

    def run(self) -> SyncCounts:
        for study in self._record.studies:
            for each in study.rounds:
                if each.finished(*PROTOCOL):
                    self._sync_round(each)
        return SyncCounts(**{name: self._counts[name] for name in get_args(Fate)})

    def _sync_round(self, study: StudyRecord) -> None:
        content = study_run(self._record.experiment, study)
        stored = self._kept(self._studies[content.tags[STUDY_TAG], content.tags[DIGEST_TAG]])
        is_whole = stored is not None and stored.status == content.status and _has_values(stored, content)
        if stored is not None and self._is_settled(stored, is_whole=is_whole):
            parent = stored.run_id
        else:
            parent = self._bring(stored, content)
        curves = functools.cache(lambda: self._curves(study.batch_size, round=study.round))
        for each in study.trials:
            if each.end is not None:
                self._sync_trial(study, each, each.end, parent=parent, curves=curves)
                self._say_how_far()

    def _say_how_far(self) -> None:
        """Tell now and then how much is done."""
        if time.monotonic() - self._told > TOLD_EVERY_SECONDS:
            self._told = time.monotonic()
            done = sum(self._counts.values()) - self._counts["removed"]
            left = sum(1 + len(one.finished(*Role)) for each in self._record.studies for one in each.rounds)
            self._tell(f"{done:,} of about {left:,} runs are brought to MLflow or found there")

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
        if stored is not None and self._is_settled(stored, is_whole=self._is_whole(stored, parent)):
            return
        if end.spent and trial.number not in curves():
            return  # it cannot be read, which the store has said; a run without it would pass for whole
        content = trial_run(
            experiment,
            trial,
            end,
            curves().get(trial.number, ()),
            batch_size=study.batch_size,
            round=study.round,
            points=self._points,
        )
        self._bring(stored, content, parent=parent)

    def _is_whole(self, stored: StoredRun, parent: str) -> bool:
        """Whether a trial's run lacks nothing, as far as can be seen without the trial's curve."""
        ended = stored.status == RunStatus.FINISHED and stored.tags.get(PARENT_TAG) == parent
        has_curve = int(stored.tags.get(CURVE_TAG, self._points)) >= self._points
        return ended and has_curve and self._workload <= stored.parameters.keys()

    def _kept(self, copies: Sequence[StoredRun]) -> StoredRun | None:
        """The one copy of a run that stays: one that is not deleted if there is, a whole one, or the oldest.

        The others are removed.
        """
        ordered = sorted(copies, key=lambda each: (each.is_deleted, each.status != RunStatus.FINISHED))
        for each in ordered[1:]:
            if not each.is_deleted:
                self._tracking.remove(each.run_id)
                self._counts["removed"] += 1
        return ordered[0] if ordered else None

    def _is_settled(self, stored: StoredRun, *, is_whole: bool) -> bool:
        """Count a run that MLflow has, and restore it if it is to be. Whether nothing has to be added to it."""
        if stored.is_deleted and not self._restore:
            self._counts["deleted"] += 1
            return True
        if stored.is_deleted:
            self._tracking.restore(stored.run_id)
            self._counts["restored"] += 1
        else:
            self._counts["present" if is_whole else "completed"] += 1
        return is_whole

    def _bring(self, stored: StoredRun | None, content: RunContent, *, parent: str | None = None) -> str:
        """Create a run or complete it; its id."""
        if stored is None:
            self._counts["created"] += 1
            return self._tracking.log(content, parent=parent)
        if parent is not None and stored.tags.get(PARENT_TAG) != parent:
            self._tracking.tag(stored.run_id, PARENT_TAG, parent)
        if CURVE_TAG in stored.tags:
            self._tracking.tag(stored.run_id, CURVE_TAG, content.tags.get(CURVE_TAG, str(self._points)))
        self._tracking.complete(stored.run_id, content)
        return stored.run_id


def _has_values(stored: StoredRun, content: RunContent) -> bool:
    """Whether a run has these metrics and parameters, those aside whose names MLflow does not take."""
    has_metrics = all(stored.metrics.get(each.name) == each.value for each in content.metrics)
    return has_metrics and {name for name in content.parameters if is_loggable(name)} <= stored.parameters.keys()

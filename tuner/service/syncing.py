"""MLflow brought up to date with an experiment in the store, and what a person is told of that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tuner.analysis.summary import results
from tuner.errors import RecorderError
from tuner.recorders.mlflow.overview import log_answers, log_report, report_is_deleted
from tuner.recorders.mlflow.ownership import name_is_taken
from tuner.recorders.mlflow.run_content import REPORT_TAG, STUDY_TAG, TRIAL_TAG
from tuner.recorders.mlflow.runs import PATIENCE_SECONDS, Deleted, Tracking
from tuner.recorders.mlflow.sync import SyncCounts, sync
from tuner.recorders.patience import Patience, silent
from tuner.records import SHOWN
from tuner.stores import Records


@dataclass(frozen=True, slots=True)
class Synced:
    """What was done.

    Attributes:
        experiment: Its name.
        counts: What became of its runs.
        is_deleted: Whether the whole experiment is deleted in MLflow; nothing was done then.
        left_out: What MLflow did not take; empty if it took everything.
        name_there: What the experiment is called in MLflow, if another store has its name there.
    """

    experiment: str
    counts: SyncCounts
    is_deleted: bool = False
    left_out: str = ""
    name_there: str = ""

    @property
    def lines(self) -> Iterator[str]:
        """What a person is told."""
        if self.name_there not in ("", self.experiment):
            yield name_is_taken(self.experiment, self.name_there)
        restore = f"`tuner sync {self.experiment} --restore`"
        if self.is_deleted:
            runs = f"with {self.counts.deleted} runs"
            yield f"the experiment {self.experiment} was deleted in MLflow, {runs}; {restore} makes it again"
            return
        yield self.counts.sentence
        if many := self.counts.deleted:
            was, stay, them = ("1 run was", "stays", "it") if many == 1 else (f"{many} runs were", "stay", "them")
            yield f"{was} deleted in MLflow and {stay} out; {restore} makes {them} again"
        if self.left_out:
            yield self.left_out


def sync_experiment(
    store: Records,
    name: str,
    *,
    tracking_uri: str,
    folder: Path,
    points: int = SHOWN,
    restore: bool = False,
    tell: Callable[[str], None] = silent,
    patience: float = PATIENCE_SECONDS,
) -> Synced:
    """Bring MLflow up to date with an experiment, and with its report if there is one.

    It may take as long as it needs while MLflow answers.

    Args:
        store: The record.
        name: The experiment's.
        tracking_uri: Where MLflow is.
        folder: The report's.
        points: Measurements of each curve that MLflow has at the least.
        restore: Whether what was deleted in MLflow is to be there again.
        tell: Is given a line now and then, if it takes long.
        patience: Seconds that each answer of MLflow is waited for.

    Raises:
        StoreError: There is no such experiment.
        RecorderError: MLflow cannot be reached, refuses, or does not answer in time.
    """
    deleted = Deleted.WHOLE if restore else Deleted.STAYS
    try:
        tracking = Tracking(tracking_uri, name, store, deleted=deleted, patience=Patience(patience, tell=tell))
        return _synced(store, name, tracking, folder, points=points, restore=restore, tell=tell)
    except RecorderError as error:
        raise RecorderError(f"{error}; `tuner sync {name}` goes on when it can be used") from error


def _synced(
    store: Records,
    name: str,
    tracking: Tracking,
    folder: Path,
    *,
    points: int,
    restore: bool,
    tell: Callable[[str], None],
) -> Synced:
    record = store.record(name)
    if tracking.is_deleted:
        gone = sum(1 for tag in (STUDY_TAG, TRIAL_TAG, REPORT_TAG) for _ in tracking.runs(tag, deleted=True))
        return Synced(name, SyncCounts(0, 0, 0, 0, deleted=gone), is_deleted=True, name_there=tracking.name)
    counts = sync(record, partial(store.curves, name), tracking, points=points, restore=restore, tell=tell)
    if (folder / "report.html").exists():
        log_report(name, folder, tracking, restore=restore)
    if report_is_deleted(tracking):
        counts = replace(counts, deleted=counts.deleted + 1)
    log_answers(results(record), tracking)
    return Synced(name, counts, left_out=tracking.refusals.sentence, name_there=tracking.name)

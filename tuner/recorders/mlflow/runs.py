"""The runs of an experiment in MLflow: found, written, completed, removed and restored.

`MlflowClient` with explicit run ids; never the fluent API, which keeps a current run in global state.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import RecorderError
from tuner.recorders.mlflow.accepted import (
    METRICS,
    PARAMETER_LENGTH,
    PARAMETERS,
    TAG_LENGTH,
    TAGS,
    Refusals,
    batches,
    cut,
    send,
)
from tuner.recorders.mlflow.connection import Connection
from tuner.recorders.mlflow.ownership import (
    ACTIVE,
    STORE_TAG,
    Ownership,
    Source,
    StoredRun,
    as_stored,
    find_home,
    find_runs,
)
from tuner.recorders.mlflow.run_content import REPORT_TAG, MetricValue, RunContent, RunStatus
from tuner.recorders.patience import Patience

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    Value = Metric | Param | RunTag

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's tag for the run that a run is nested under."""

REFUSED = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})
"""MLflow's words for a request that fails for what it holds, however often it is sent."""

PATIENCE_SECONDS = 60.0
"""How long MLflow is waited for by somebody who wants nothing else: since its last answer."""

SECONDS_PER_BYTE = 1 / 250_000
"""How much longer a file may take."""


class RunDeletedError(RecorderError):
    """Somebody has deleted the run that was to be written to."""


class Deleted(Enum):
    """What becomes of an experiment that somebody has deleted in MLflow, when it is opened.

    `EMPTY`: it comes back without the runs it had. `WHOLE`: with all of them. `STAYS`: it does not come back.
    """

    EMPTY = auto()
    WHOLE = auto()
    STAYS = auto()


class Tracking:
    """The MLflow experiment of an experiment in a store; made if there is none.

    Every method raises `RecorderError` if MLflow cannot be reached, refuses, or does not answer in time. Single values
    that it refuses are left out, and remembered in `refusals`. Runs of other stores are neither seen nor changed.

    Attributes:
        name: The experiment's in MLflow (`tuner.recorders.mlflow.ownership` says which).
        experiment_id: MLflow's.
        experiment_tags: Its tags when it was opened.
        is_deleted: Whether it is deleted; nothing can be written then.
        is_shared: Whether it is another store's, and only some of its runs are ours.
    """

    def __init__(
        self,
        tracking_uri: str,
        experiment_name: str,
        store: Source,
        *,
        deleted: Deleted = Deleted.EMPTY,
        patience: Patience | None = None,
    ) -> None:
        self.refusals = Refusals()
        self._connection = Connection(tracking_uri, patience or Patience(PATIENCE_SECONDS))
        self._ownership = Ownership(store, experiment_name)
        home = find_home(self._connection, self._ownership)
        self.name, self.experiment_id, self.experiment_tags = home.name, home.experiment_id, home.tags
        self.is_deleted, self.is_shared = home.is_deleted, home.is_shared
        if self.is_deleted and deleted is not Deleted.STAYS:
            self._restore(with_runs=deleted is Deleted.WHOLE)
        if STORE_TAG not in self.experiment_tags and not self.is_deleted:
            self.tag_experiment(STORE_TAG, self._ownership.identity)

    def runs(self, tag: str, *, deleted: bool = False) -> Iterator[StoredRun]:
        """The store's runs with this tag, oldest first; those that are deleted too, if asked for."""
        found = find_runs(self._connection, self.experiment_id, f"tags.`{tag}` LIKE '%'", deleted=deleted)
        for run in list(found):
            is_report = STORE_TAG not in run.tags and REPORT_TAG in run.tags and not self.is_shared
            if is_report or self._ownership.has(run):
                if STORE_TAG not in run.tags and not run.is_deleted:
                    self.tag(run.run_id, STORE_TAG, self._ownership.identity)  # an earlier version brought it
                yield run

    def check(self) -> None:
        """Ask for the experiment, only to see whether MLflow answers."""
        self._connection.ask(lambda client: client.get_experiment(self.experiment_id))

    def run(self, run_id: str) -> StoredRun:
        """One run."""
        return as_stored(self._connection.ask(lambda client: client.get_run(run_id)))

    def log(self, content: RunContent, *, parent: str | None = None) -> str:
        """Store a whole run; its id."""
        run_id = self.create(content, parent=parent)
        self.complete(run_id, content)
        return run_id

    def create(self, content: RunContent, *, parent: str | None = None) -> str:
        """Store a run's name, tags and start; its id. It is `RUNNING` until it is completed."""
        nested = {} if parent is None else {PARENT_TAG: parent}
        whose = {STORE_TAG: self._ownership.identity}
        tags = self.refusals.accepted({**content.tags, **whose, **nested}, TAG_LENGTH)
        run = self._connection.ask(
            lambda client: client.create_run(
                self.experiment_id, start_time=content.started, tags=tags, run_name=content.name
            )
        )
        return str(run.info.run_id)

    def complete(self, run_id: str, content: RunContent) -> None:
        """Store a run's parameters and metrics, and then its end, so that a run with an end is whole.

        Values that are there already stay as they are: MLflow keeps one of two equal metric values.
        """
        self.add(run_id, metrics=content.metrics, parameters=content.parameters)
        self._connection.ask(
            lambda client: client.set_terminated(run_id, status=content.status, end_time=content.ended)
        )

    def add(
        self,
        run_id: str,
        *,
        metrics: Sequence[MetricValue] = (),
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Store values of a run. Those that MLflow refuses are left out."""
        from mlflow.entities import Metric, Param, RunTag

        measured = [Metric(each.name, each.value, each.milliseconds, each.step) for each in metrics]
        measured = [each for each in measured if self.refusals.takes(each.key)]
        given = [Param(*each) for each in self.refusals.accepted(parameters or {}, PARAMETER_LENGTH).items()]
        tagged = [RunTag(*each) for each in self.refusals.accepted(tags or {}, TAG_LENGTH).items()]
        together = zip_longest(
            batches(given, PARAMETERS), batches(tagged, TAGS), batches(measured, METRICS), fillvalue=()
        )
        for batch in together:
            send([value for part in batch for value in part], partial(self._log_batch, run_id), self._refuse)

    def reopen(self, run_id: str) -> None:
        """Mark an ended run as `RUNNING` again."""
        self._connection.ask(lambda client: client.update_run(run_id, status=RunStatus.RUNNING))

    def tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag of a run."""
        self.add(run_id, tags={name: value})

    def tag_experiment(self, name: str, value: str) -> None:
        """Set a tag of the experiment."""
        self._connection.ask(lambda client: client.set_experiment_tag(self.experiment_id, name, cut(value, TAG_LENGTH)))

    def store_files(self, run_id: str, files: Sequence[Path]) -> None:
        """Store files as a run's artifacts, over those of the same name."""
        for each in files:
            longer = each.stat().st_size * SECONDS_PER_BYTE
            self._connection.ask(partial(_log_file, run_id, each), longer=longer)

    def remove(self, run_id: str) -> None:
        """Delete a run; MLflow can restore it."""
        self._connection.ask(lambda client: client.delete_run(run_id))

    def restore(self, run_id: str) -> None:
        """Bring a deleted run back."""
        self._connection.ask(lambda client: client.restore_run(run_id))

    def _log_batch(self, run_id: str, values: Sequence["Value"]) -> None:
        """Send some values. Raises `ValueError` if MLflow refuses them for one of them."""
        refused = self._connection.ask(partial(_log_values, run_id, values))
        if refused is not None:
            raise refused

    def _refuse(self, value: "Value") -> None:
        self.refusals.add(value.key)

    def _restore(self, *, with_runs: bool) -> None:
        """Bring the deleted experiment back. MLflow brings its runs back with it; those are deleted again, if asked."""
        self._connection.ask(lambda client: client.restore_experiment(self.experiment_id))
        self.is_deleted = False
        if not with_runs:
            for each in list(find_runs(self._connection, self.experiment_id, "", deleted=False)):
                self.remove(each.run_id)


def _log_file(run_id: str, file: Path, client: "MlflowClient") -> None:
    client.log_artifact(run_id, str(file))


def _log_values(run_id: str, values: Sequence["Value"], client: "MlflowClient") -> ValueError | None:
    """Send some values; why MLflow refuses them, if it does for one of them. Raises `RunDeletedError`."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException

    try:
        client.log_batch(
            run_id,
            metrics=[each for each in values if isinstance(each, Metric)],
            params=[each for each in values if isinstance(each, Param)],
            tags=[each for each in values if isinstance(each, RunTag)],
        )
    except MlflowException as error:
        if error.error_code not in REFUSED:
            raise
        if client.get_run(run_id).info.lifecycle_stage != ACTIVE:
            raise RunDeletedError(f"run {run_id} was deleted") from error
        return ValueError(str(error))
    return None

"""The runs of an experiment in MLflow: found, written, completed, removed and restored.

`MlflowClient` with explicit run ids; never the fluent API, which keeps a current run in global state.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
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
from tuner.recorders.mlflow.connection import artifact_location, connect, explained
from tuner.recorders.mlflow.run_content import MetricValue, RunContent, RunStatus

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, Run, RunTag

    Value = Metric | Param | RunTag

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's tag for the run that a run is nested under."""

KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
"""MLflow's tag for what its pages are about: training, where they would otherwise ask for a language model's traces."""

ACTIVE = "active"
"""MLflow's word for what nobody has deleted."""

REFUSED = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})
"""MLflow's words for a request that fails for what it holds, however often it is sent."""

PAGE = 1_000
"""Runs asked for at once."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as MLflow has it.

    Attributes:
        status: As MLflow calls it.
        started: UTC milliseconds.
        metrics: The latest value of each.
        is_deleted: Whether somebody has deleted it; MLflow keeps it out of sight.
    """

    run_id: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    status: str
    started: int
    is_deleted: bool


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
    """One MLflow experiment; made if there is none of this name.

    Every method raises `RecorderError` if MLflow cannot be reached or refuses. Single values that it refuses are left
    out, and remembered in `refusals`.

    Attributes:
        experiment_id: MLflow's.
        experiment_tags: Its tags when it was opened.
        is_deleted: Whether it is deleted; nothing can be written then.
    """

    def __init__(self, tracking_uri: str, experiment_name: str, *, deleted: Deleted = Deleted.EMPTY) -> None:
        self._uri = tracking_uri
        self.refusals = Refusals()
        with self._explained():
            self._client = connect(tracking_uri)
            found = self._client.get_experiment_by_name(experiment_name)
            self.experiment_id = self._make(experiment_name) if found is None else str(found.experiment_id)
        self.experiment_tags: Mapping[str, str] = {KIND_TAG: KIND} if found is None else found.tags
        self.is_deleted = found is not None and found.lifecycle_stage != ACTIVE
        if self.is_deleted and deleted is not Deleted.STAYS:
            self._restore(with_runs=deleted is Deleted.WHOLE)

    def runs(self, tag: str, *, deleted: bool = False) -> Iterator[StoredRun]:
        """The runs with this tag, oldest first; those that are deleted too, if asked for."""
        return self._found(f"tags.`{tag}` LIKE '%'", deleted=deleted)

    def run(self, run_id: str) -> StoredRun:
        """One run."""
        with self._explained():
            return _stored(self._client.get_run(run_id))

    def log(self, content: RunContent, *, parent: str | None = None) -> str:
        """Store a whole run; its id."""
        run_id = self.create(content, parent=parent)
        self.complete(run_id, content)
        return run_id

    def create(self, content: RunContent, *, parent: str | None = None) -> str:
        """Store a run's name, tags and start; its id. It is `RUNNING` until it is completed."""
        nested = {} if parent is None else {PARENT_TAG: parent}
        tags = self.refusals.accepted({**content.tags, **nested}, TAG_LENGTH)
        with self._explained():
            run = self._client.create_run(
                self.experiment_id, start_time=content.started, tags=tags, run_name=content.name
            )
        return str(run.info.run_id)

    def complete(self, run_id: str, content: RunContent) -> None:
        """Store a run's parameters and metrics, and then its end, so that a run with an end is whole.

        Values that are there already stay as they are: MLflow keeps one of two equal metric values.
        """
        self.add(run_id, metrics=content.metrics, parameters=content.parameters)
        with self._explained():
            self._client.set_terminated(run_id, status=content.status, end_time=content.ended)

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
        with self._explained():
            self._client.update_run(run_id, status=RunStatus.RUNNING)

    def tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag of a run."""
        self.add(run_id, tags={name: value})

    def tag_experiment(self, name: str, value: str) -> None:
        """Set a tag of the experiment."""
        with self._explained():
            self._client.set_experiment_tag(self.experiment_id, name, cut(value, TAG_LENGTH))

    def store_files(self, run_id: str, files: Sequence[Path]) -> None:
        """Store files as a run's artifacts, over those of the same name."""
        with self._explained():
            for each in files:
                self._client.log_artifact(run_id, str(each))

    def remove(self, run_id: str) -> None:
        """Delete a run; MLflow can restore it."""
        with self._explained():
            self._client.delete_run(run_id)

    def restore(self, run_id: str) -> None:
        """Bring a deleted run back."""
        with self._explained():
            self._client.restore_run(run_id)

    def _found(self, condition: str, *, deleted: bool = False) -> Iterator[StoredRun]:
        """The runs for which a condition holds in MLflow's language, oldest first."""
        from mlflow.entities import ViewType

        token: str | None = None
        while True:
            with self._explained():
                page = self._client.search_runs(
                    [self.experiment_id],
                    filter_string=condition,
                    run_view_type=ViewType.ALL if deleted else ViewType.ACTIVE_ONLY,
                    max_results=PAGE,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            yield from map(_stored, page)
            token = page.token
            if not token:
                return

    def _log_batch(self, run_id: str, values: Sequence["Value"]) -> None:
        """Send some values. Raises `ValueError` if MLflow refuses them for one of them."""
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.exceptions import MlflowException

        with self._explained():
            try:
                self._client.log_batch(
                    run_id,
                    metrics=[each for each in values if isinstance(each, Metric)],
                    params=[each for each in values if isinstance(each, Param)],
                    tags=[each for each in values if isinstance(each, RunTag)],
                )
                return
            except MlflowException as error:
                if error.error_code not in REFUSED:
                    raise
                refused = ValueError(str(error))
            if self._client.get_run(run_id).info.lifecycle_stage != ACTIVE:
                raise RunDeletedError(f"run {run_id} was deleted") from refused
        raise refused

    def _refuse(self, value: "Value") -> None:
        self.refusals.add(value.key)

    def _make(self, name: str) -> str:
        """A new experiment; its id."""
        location = artifact_location(self._uri, name)
        return str(self._client.create_experiment(name, artifact_location=location, tags={KIND_TAG: KIND}))

    def _restore(self, *, with_runs: bool) -> None:
        """Bring the deleted experiment back. MLflow brings its runs back with it; those are deleted again, if asked."""
        with self._explained():
            self._client.restore_experiment(self.experiment_id)
        self.is_deleted = False
        if not with_runs:
            for each in list(self._found("")):
                self.remove(each.run_id)

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._uri)


def _stored(run: "Run") -> StoredRun:
    return StoredRun(
        run_id=run.info.run_id,
        tags=run.data.tags,
        parameters=run.data.params,
        metrics=run.data.metrics,
        status=run.info.status,
        started=run.info.start_time,
        is_deleted=run.info.lifecycle_stage != ACTIVE,
    )

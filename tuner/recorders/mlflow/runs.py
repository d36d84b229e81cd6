"""The runs of an experiment in MLflow: found, written, completed and removed.

`MlflowClient` with explicit run ids; never the fluent API, which keeps a current run in global state.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.recorders.mlflow.connection import artifact_location, connect, explained
from tuner.recorders.mlflow.run_content import RunContent, RunStatus

if TYPE_CHECKING:
    from mlflow.entities import Run

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's tag for the run that a run is nested under."""

PAGE = 1_000
"""Runs asked for at once."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as MLflow has it.

    Attributes:
        status: As MLflow calls it.
        started: UTC milliseconds.
        metrics: The latest value of each.
    """

    run_id: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    status: str
    started: int


class Tracking:
    """One MLflow experiment. It is made if there is none of this name, and restored if it has been deleted.

    Every method raises `RecorderError` if MLflow cannot be reached or refuses.
    """

    def __init__(self, tracking_uri: str, experiment_name: str) -> None:
        self._uri = tracking_uri
        with self._explained():
            self._client = connect(tracking_uri)
            self._experiment_id = self._open(experiment_name)

    def runs(self, tag: str) -> Iterator[StoredRun]:
        """The runs with this tag, oldest first."""
        token: str | None = None
        while True:
            with self._explained():
                page = self._client.search_runs(
                    [self._experiment_id],
                    filter_string=f"tags.`{tag}` LIKE '%'",
                    max_results=PAGE,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            yield from map(_stored, page)
            token = page.token
            if not token:
                return

    def log(self, content: RunContent, *, parent: str | None = None) -> str:
        """Store a whole run; its id."""
        run_id = self.create(content, parent=parent)
        self.complete(run_id, content)
        return run_id

    def create(self, content: RunContent, *, parent: str | None = None) -> str:
        """Store a run's name, tags and start; its id. It is `RUNNING` until it is completed."""
        nested = {} if parent is None else {PARENT_TAG: parent}
        with self._explained():
            run = self._client.create_run(
                self._experiment_id,
                start_time=content.started,
                tags={**content.tags, **nested},
                run_name=content.name,
            )
        return str(run.info.run_id)

    def complete(self, run_id: str, content: RunContent) -> None:
        """Store a run's parameters and metrics, and then its end, so that a run with an end is whole.

        Values that are there already stay as they are: MLflow keeps one of two equal metric values.
        """
        from mlflow.entities import Metric, Param

        metrics = [Metric(each.name, each.value, each.milliseconds, each.step) for each in content.metrics]
        parameters = [Param(name, value) for name, value in content.parameters.items()]
        with self._explained():
            self._client.log_batch(run_id, metrics=metrics, params=parameters)
            self._client.set_terminated(run_id, status=content.status, end_time=content.ended)

    def reopen(self, run_id: str) -> None:
        """Mark an ended run as `RUNNING` again."""
        with self._explained():
            self._client.update_run(run_id, status=RunStatus.RUNNING)

    def tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag of a run."""
        with self._explained():
            self._client.set_tag(run_id, name, value)

    def store_files(self, run_id: str, files: Sequence[Path]) -> None:
        """Store files as a run's artifacts, over those of the same name."""
        with self._explained():
            for each in files:
                self._client.log_artifact(run_id, str(each))

    def remove(self, run_id: str) -> None:
        """Delete a run; MLflow can restore it."""
        with self._explained():
            self._client.delete_run(run_id)

    def _open(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name, artifact_location=artifact_location(self._uri, name)))
        if found.lifecycle_stage != "active":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._uri)


def _stored(run: "Run") -> StoredRun:
    return StoredRun(
        run_id=run.info.run_id,
        tags=run.data.tags,
        metrics=run.data.metrics,
        status=run.info.status,
        started=run.info.start_time,
    )

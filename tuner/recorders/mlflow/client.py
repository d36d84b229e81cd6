"""MLflow behind a few verbs: the one module that imports it, when a connection is first made.

`MlflowClient` with explicit run ids; never the fluent API, which keeps a current run in global state.
"""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import make_url

from tuner.errors import RecorderError
from tuner.recorders.mlflow.run_content import RunContent, RunStatus

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's tag for the run that a run is nested under."""

PAGE = 1_000
"""Runs asked for at once."""

ENVIRONMENT = {
    # By default the client retries for four minutes, far longer than anybody waits for a view of the record.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Settings that MLflow reads when it is imported; what the user has set himself stands."""


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
            self._client = _connect(tracking_uri)
            self._experiment_id = self._open(experiment_name)
        if (database := local_database(tracking_uri)) is not None:
            _let_read_while_written(database)

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

        What is there already stays as it is: MLflow keeps one of two metric values that agree in everything.
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
            return str(self._client.create_experiment(name, artifact_location=_artifact_location(self._uri, name)))
        if found.lifecycle_stage != "active":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _explained(self) -> AbstractContextManager[None]:
        return _explained(self._uri)


def ping(tracking_uri: str) -> None:
    """Ask MLflow for something. Raises `RecorderError` if it cannot be reached or refuses."""
    with _explained(tracking_uri):
        _connect(tracking_uri).search_experiments(max_results=1)


def local_database(tracking_uri: str) -> Path | None:
    """The file that a tracking URI names; None if it is no file.

    >>> local_database("sqlite:///runs/mlflow.db"), local_database("http://localhost:5000")
    (PosixPath('runs/mlflow.db'), None)
    """
    return Path(make_url(tracking_uri).database or "") if tracking_uri.startswith("sqlite:") else None


def shown_uri(tracking_uri: str) -> str:
    """A tracking URI as it may be shown: without the password, and without a query that may hold one.

    >>> shown_uri("https://ada:secret@mlflow.example.org:5000/?token=secret")
    'https://ada@mlflow.example.org:5000/'
    """
    plain = tracking_uri.partition("?")[0].partition("#")[0]
    return re.sub(r"^([^/]*//[^/@]*?):[^/]*@", r"\1@", plain)


def with_driver(tracking_uri: str) -> str:
    """A tracking URI that names the PostgreSQL driver we install; MLflow would look for another.

    >>> with_driver("postgresql://ada@db.lab/mlflow")
    'postgresql+psycopg://ada@db.lab/mlflow'
    """
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", tracking_uri)


@contextmanager
def _explained(tracking_uri: str) -> Iterator[None]:
    """Turns whatever MLflow raises (its own errors, and those of HTTP and SQL libraries) into one line."""
    try:
        yield
    except Exception as error:
        reason = _reason(error, secret=_password(tracking_uri))
        raise RecorderError(f"MLflow at {shown_uri(tracking_uri)} cannot be used: {reason}") from error


def _connect(tracking_uri: str) -> "MlflowClient":
    """A client. The first one imports MLflow, which takes a second."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    # What goes wrong is raised, and told in our words; that tables are made does not belong on the terminal.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowClient(tracking_uri=with_driver(tracking_uri))


def _let_read_while_written(database: Path) -> None:
    """Have a SQLite database keep a write-ahead log: whoever reads need not wait, and a commit waits for the disk less.

    The file remembers it; one that cannot be changed stays as it is. Whoever uses it then shares memory, so all must be
    on one machine: SQLite may accept this in a network folder too, where it fails later or damages the file.
    """
    with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _artifact_location(tracking_uri: str, experiment_name: str) -> str | None:
    """Where artifacts go: beside a SQLite database; None leaves it to MLflow (a server has its own place)."""
    if not tracking_uri.startswith("sqlite:"):
        return None
    database = make_url(tracking_uri).database
    if not database or database == ":memory:":
        return None
    return (Path(database).resolve().parent / "mlartifacts" / experiment_name).as_uri()


def _stored(run: "Run") -> StoredRun:
    return StoredRun(
        run_id=run.info.run_id,
        tags=run.data.tags,
        metrics=run.data.metrics,
        status=run.info.status,
        started=run.info.start_time,
    )


def _password(tracking_uri: str) -> str:
    """The password in a URI, or nothing."""
    try:
        return urlsplit(tracking_uri).password or ""
    except ValueError:
        return ""


def _reason(error: BaseException, *, secret: str) -> str:
    """What went wrong, in a line that does not hold the secret.

    Below a failed request lie four exceptions whose messages quote one another; the innermost says it best.
    """
    inner = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    told = inner if isinstance(inner, OSError) else error
    text = str(getattr(told, "strerror", None) or told).strip() or type(told).__name__
    for each in filter(None, {secret, unquote(secret)}):
        text = text.replace(each, "***")
    return text.splitlines()[0]

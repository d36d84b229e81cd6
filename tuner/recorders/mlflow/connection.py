"""The connection to MLflow: its client, its settings, and its errors without passwords."""

import functools
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from tuner.errors import RecorderError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    # By default the client retries for four minutes, far longer than anybody waits for a view of the record.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Settings that MLflow reads when it is imported; what the user has set himself status."""


def ping(tracking_uri: str) -> None:
    """Ask MLflow for something. Raises `RecorderError` if it cannot be reached or refuses."""
    with explained(tracking_uri):
        connect(tracking_uri).search_experiments(max_results=1)


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
def explained(tracking_uri: str) -> Iterator[None]:
    """Turns whatever MLflow raises (its own errors, and those of HTTP and SQL libraries) into one line."""
    try:
        yield
    except RecorderError:
        raise
    except Exception as error:
        reason = _reason(error, secret=_password(tracking_uri))
        raise RecorderError(f"MLflow at {shown_uri(tracking_uri)} cannot be used: {reason}") from error


def connect(tracking_uri: str) -> "MlflowClient":
    """A client. The first one imports MLflow, which takes a second."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    # What goes wrong is raised, and told in our words; that tables are made does not belong on the terminal.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if (database := local_database(tracking_uri)) is not None:
        write_ahead(database.resolve())
    return MlflowClient(tracking_uri=with_driver(tracking_uri))


@functools.cache
def write_ahead(database: Path) -> None:
    """Have a SQLite database keep a write-ahead log: whoever reads need not wait, and no commit waits for the disk.

    A power cut may cost the last commits, and no others: what is left is in order, and `tuner sync` adds what is not.
    The file remembers the log; one that cannot have it stays as it is. Whoever uses it then shares memory, so all must
    be on one machine: SQLite may accept this in a network folder too, where it fails later or damages the file.
    """

    # Of all engines, because MLflow keeps its own to itself; the store is another file, and waits for the disk.
    @event.listens_for(Engine, "connect")
    def set_up(connection: object, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection) and _file(connection) == database:
            with suppress(sqlite3.Error):
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                # Without the log this could damage the file.
                if mode == "wal":
                    connection.execute("PRAGMA synchronous = NORMAL")


def _file(connection: sqlite3.Connection) -> Path | None:
    """The file that a connection is to; None if it is to memory."""
    names = [file for _, name, file in connection.execute("PRAGMA database_list") if name == "main"]
    return Path(names[0]).resolve() if names and names[0] else None


def artifact_location(tracking_uri: str, experiment_name: str) -> str | None:
    """Where artifacts go: beside a SQLite database; None leaves it to MLflow (a server has its own place)."""
    if not tracking_uri.startswith("sqlite:"):
        return None
    database = make_url(tracking_uri).database
    if not database or database == ":memory:":
        return None
    return (Path(database).resolve().parent / "mlartifacts" / experiment_name).as_uri()


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

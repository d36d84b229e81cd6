"""The connection to MLflow: its client, its settings, how long it is waited for, and its errors without passwords."""

import functools
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool
from urllib3.exceptions import ResponseError

from tuner import passwords
from tuner.errors import RecorderError
from tuner.recorders.patience import NoAnswer, Patience

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    # By default the client retries for four minutes, far longer than anybody waits for a view of the record.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # A server may ask to be left alone for an hour, which would be waited for in silence.
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Settings that MLflow reads when it is imported; what the user has set himself stands."""

T = TypeVar("T")


class Connection:
    """A client, whose answers are waited for with patience. Made at once; raises `RecorderError`.

    Args:
        tracking_uri: Where MLflow is. A password in it is never shown.
        patience: How long for.
    """

    def __init__(self, tracking_uri: str, patience: Patience) -> None:
        self.tracking_uri = tracking_uri
        self._patience = patience
        url = with_driver(tracking_uri)
        if url.startswith("postgresql"):
            self._wait(lambda: _try_database(url))
        with explained(tracking_uri):
            _load()
        self._client = self._wait(lambda: connect(tracking_uri))

    def ask(self, question: "Callable[[MlflowClient], T]", *, longer: float = 0.0) -> T:
        """What a question to the client comes to.

        Args:
            question: Must bear being left behind.
            longer: Seconds that the answer may take beyond the usual, because much is sent.

        Raises:
            RecorderError: MLflow cannot be reached, refuses, or does not answer in time.
        """
        return self._wait(lambda: question(self._client), longer=longer)

    def _wait(self, action: Callable[[], T], *, longer: float = 0.0) -> T:
        with explained(self.tracking_uri):
            return self._patience.wait(action, of=f"MLflow at {passwords.shown(self.tracking_uri)}", longer=longer)


_loading = threading.Lock()
"""Held while MLflow is imported."""


def ping(tracking_uri: str, patience: Patience) -> None:
    """Ask MLflow for something. Raises `RecorderError` if it cannot be reached, refuses, or does not answer in time."""
    Connection(tracking_uri, patience).ask(lambda client: client.search_experiments(max_results=1))


def local_database(tracking_uri: str) -> Path | None:
    """The file that a tracking URI names; None if it is no file.

    >>> local_database("sqlite:///runs/mlflow.db"), local_database("http://localhost:5000")
    (PosixPath('runs/mlflow.db'), None)
    """
    if not tracking_uri.startswith("sqlite:"):
        return None
    refuse_unreadable(tracking_uri)
    return Path(make_url(tracking_uri).database or "")


def refuse_unreadable(tracking_uri: str) -> None:
    """Refuse a URI before anybody quotes it in an error.

    Raises:
        RecorderError: It cannot be told what in it is a password.
    """
    is_readable = passwords.is_readable(tracking_uri)
    if is_readable and tracking_uri.startswith("sqlite:"):
        try:
            make_url(tracking_uri)
        except (ArgumentError, ValueError):
            is_readable = False
    if not is_readable:
        where = passwords.shown(tracking_uri)
        raise RecorderError(f"the URI of MLflow cannot be read, {where}; {passwords.ADVICE}")


def with_driver(tracking_uri: str) -> str:
    """A tracking URI that names the PostgreSQL driver we install; MLflow would look for another.

    >>> with_driver("postgresql://ada@db.lab/mlflow")
    'postgresql+psycopg://ada@db.lab/mlflow'
    """
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", tracking_uri)


@contextmanager
def explained(tracking_uri: str) -> Iterator[None]:
    """Turns whatever MLflow raises (its own errors, and those of HTTP and SQL libraries) into one line."""
    refuse_unreadable(tracking_uri)
    try:
        yield
    except RecorderError:
        raise
    except Exception as error:
        reason = _reason(error, tracking_uri)
        raise RecorderError(f"MLflow at {passwords.shown(tracking_uri)} cannot be used: {reason}") from error


def connect(tracking_uri: str) -> "MlflowClient":
    """A client. The first one imports MLflow, which takes a second."""
    _load()
    from mlflow import MlflowClient

    # What goes wrong is raised, and told in our words; that tables are made does not belong on the terminal.
    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if (database := local_database(tracking_uri)) is not None:
        write_ahead(database.resolve())
    return MlflowClient(tracking_uri=with_driver(tracking_uri))


def _load() -> None:
    """Import MLflow, with our settings. That takes seconds on a busy machine, which are not MLflow's."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with _loading:
        import mlflow  # noqa: F401


def is_loading() -> bool:
    """Whether MLflow is being imported now."""
    return _loading.locked()


def _try_database(url: str) -> None:
    """Connect to MLflow's database once. MLflow would try ten times, for two minutes, whatever is wrong."""
    create_engine(url, poolclass=NullPool).connect().close()


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


def _reason(error: BaseException, tracking_uri: str) -> str:
    """What went wrong, in a line without what is secret in the URI.

    Below a failed request lie four exceptions whose messages quote one another; the innermost says it best.
    """
    inner = error
    while not isinstance(inner, NoAnswer) and (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    told = inner if isinstance(inner, (OSError, NoAnswer, ResponseError)) else error
    text = str(getattr(told, "strerror", None) or told).strip() or type(told).__name__
    return passwords.without_secrets(text.splitlines()[0], of=[tracking_uri])

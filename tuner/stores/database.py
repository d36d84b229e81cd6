"""What the store needs of a database, and what differs between kinds of them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import psycopg
from optuna.exceptions import OptunaError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tuner.errors import StoreError

MeasurementRow = tuple[int, int, str, float | None]
"""Trial, step, metric, value; None is NaN."""


class Lock(Protocol):
    """A lock that is held. It dies with the process."""

    def check(self) -> None:
        """Raise `StoreError` if it may not be held any more."""
        ...


class Database(Protocol):
    """One database of a kind.

    Attributes:
        location: Where it is. May hold the password.
        advice: What to do if it cannot be opened.
    """

    @property
    def location(self) -> URL: ...
    @property
    def advice(self) -> str: ...

    def engine_options(self) -> dict[str, object]:
        """What `sqlalchemy.create_engine` needs beside the URL."""
        ...

    def lock(self, name: str, *, wait: bool = False) -> AbstractContextManager[Lock | None]:
        """A lock among all processes that use this database, or None if it is taken and we do not `wait`."""
        ...

    def write_measurements(self, connection: Connection, rows: Sequence[MeasurementRow]) -> None:
        """Write measurements in bulk, in the connection's transaction."""
        ...


@contextmanager
def store_errors(doing: str, *, advice: str = "") -> Iterator[None]:
    """Whatever a database raises, as a `StoreError` of one line: `doing`, the reason, `advice`."""
    try:
        yield
    except (SQLAlchemyError, OptunaError, psycopg.Error, OSError) as error:
        # Optuna says only that something went wrong; the reason is the cause.
        cause = error.__cause__ if isinstance(error, OptunaError) and error.__cause__ else error
        reason = cause.orig if isinstance(cause, DBAPIError) else cause
        raise StoreError(" ".join(f"{doing}: {reason}{advice}".split())) from error

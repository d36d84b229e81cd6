"""What the store needs of a database: an interface that SQLite and PostgreSQL implement."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import psycopg
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores import Listener
from tuner.stores.passing import Fault, fault_of, reason_of

MeasurementRow = tuple[int, int, str, float | None, int | None]
"""Trial, step, metric, value (None is NaN), and the examples that it rests on (None is all of them)."""

OWNERS_WORK = "; tables are made and upgraded by the role that owns them: let it run `tuner migrate`"


class Lock(Protocol):
    """A lock that is held. It dies with the process."""

    def check(self) -> None:
        """Make sure that it is held; if it was lost, take it again. Somebody else may have had it in between.

        Raises:
            StoreUnreachable: It was lost, and cannot be taken now.
            StoreError: It has been given up.
        """
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

    def exists(self) -> bool:
        """False if it is certain that there is none."""
        ...

    def engine_options(self, *, reading: bool = False) -> dict[str, object]:
        """What `sqlalchemy.create_engine` needs beside the URL; with `reading`, nothing is changed by connecting."""
        ...

    def lock(self, name: str, *, wait: bool = False) -> AbstractContextManager[Lock | None]:
        """A lock among all processes that use this database, or None if it is taken and we do not `wait`."""
        ...

    def taken(self, connection: Connection, names: Collection[str]) -> frozenset[str]:
        """Which of these locks somebody holds now."""
        ...

    def announce(self, connection: Connection) -> None:
        """Tell listeners, when the connection's transaction is committed, that there may be news."""
        ...

    def listen(self) -> AbstractContextManager[Listener]:
        """Hear of what is announced, from now on."""
        ...

    def write_measurements(self, connection: Connection, rows: Sequence[MeasurementRow]) -> None:
        """Write measurements in bulk, in the connection's transaction."""
        ...


@contextmanager
def store_errors(doing: str, *, advice: str = "") -> Iterator[None]:
    """Whatever a database raises, as a `StoreError` of one line: `doing`, the reason, `advice`.

    What helps a role that may not open a store as it finds it is not that advice.
    """
    try:
        yield
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        fault, reason = fault_of(error), reason_of(error)
        if fault is Fault.DISK_FULL:
            raise StoreUnreachable(f"{doing}: its disk is full; make room there") from error
        kind = StoreUnreachable if fault is Fault.PASSING else StoreError
        if advice and isinstance(reason, psycopg.errors.InsufficientPrivilege):
            advice = OWNERS_WORK
        raise kind(" ".join(f"{doing}: {reason}{advice}".split())) from error

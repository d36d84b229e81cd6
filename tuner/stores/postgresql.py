"""PostgreSQL: a store for workers on any number of machines."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, text

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores.database import Lock, MeasurementRow, store_errors
from tuner.stores.sessions import CONNECT_SECONDS, WatchedConnection
from tuner.trial import hash_seed

# A host that vanishes without a word is noticed by the other side within 20 + 3 x 10 seconds.
CONNECTION_OPTIONS: dict[str, str | int] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "tuner",
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,
    "options": "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
}
LOCK_TIMEOUT = " -c lock_timeout=20s"
"""How long a statement waits for a row or a table that somebody else has locked, before it is tried again and said."""
CHANNEL = "tuner"
"""Where news are announced. A channel belongs to its database."""

HELD_KEYS = """
SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
POOLED = (
    "the store is reached through a proxy that lends each transaction another session (transaction pooling), so that"
    " no claim would last; connect to PostgreSQL itself, or let the proxy pool whole sessions"
)


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A database on a server. Locks are advisory locks, each held by a connection of its own."""

    location: URL = field(repr=False)

    @property
    def advice(self) -> str:
        return "; check that it is running and that TUNER_STORE or --store names it"

    def exists(self) -> bool:
        return True  # as far as anybody can say without asking it

    def engine_options(self, *, reading: bool = False) -> dict[str, object]:  # noqa: ARG002
        # A connection that was idle for an hour may be dead: ask before use. Servers count connections: keep few.
        creator = partial(WatchedConnection.open, self._parameters(LOCK_TIMEOUT))
        return {"pool_pre_ping": True, "pool_size": 1, "max_overflow": 3, "creator": creator}

    @contextmanager
    def lock(self, name: str, *, wait: bool = False) -> Iterator[Lock | None]:
        if wait:  # as when a store is opened, before anything is claimed in it
            with self._connect() as one, self._connect() as another:
                refuse_pooled(one, another)
        held = HeldSession(name, self._connect, self._connect())
        try:
            yield held if held.take(wait=wait) else None
        finally:
            held.release()

    def taken(self, connection: Connection, names: Collection[str]) -> frozenset[str]:
        keys = set(connection.scalars(text(HELD_KEYS))) if names else set()
        return frozenset(each for each in names if _key(each) in keys)

    def announce(self, connection: Connection) -> None:
        connection.execute(text(f"NOTIFY {CHANNEL}"))

    @contextmanager
    def listen(self) -> Iterator["NotificationListener"]:
        with store_errors("PostgreSQL's announcements are not heard"), self._connect() as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            yield NotificationListener(connection)

    def write_measurements(self, connection: Connection, rows: Sequence[MeasurementRow]) -> None:
        driver: psycopg.Connection | None = connection.connection.driver_connection
        assert driver is not None  # only a connection that was given back has none
        copy_rows = "COPY measurement (trial_id, step, metric, value, examples) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(copy_rows) as copy:
            for row in rows:
                copy.write_row(row)

    def _connect(self) -> psycopg.Connection:
        """A connection outside any pool, whose session lives until it is closed."""
        return WatchedConnection.open(self._parameters(), autocommit=True)

    def _parameters(self, more_options: str = "") -> dict[str, Any]:
        """What psycopg needs to connect: ours, and what the URL says, which comes last and wins."""
        _, from_url = self.location.get_dialect()().create_connect_args(self.location)
        options = f"{CONNECTION_OPTIONS['options']}{more_options} {from_url.get('options', '')}".rstrip()
        return {**CONNECTION_OPTIONS, **from_url, "options": options}


@dataclass(slots=True)
class HeldSession:
    """An advisory lock that is held: by the server, for as long as this session lives. Safe to use from any thread."""

    name: str
    connect: Callable[[], psycopg.Connection]
    connection: psycopg.Connection
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    _is_held: bool = False

    def take(self, *, wait: bool = False) -> bool:
        """Take the lock, if it is free or we `wait`; whether we have it."""
        if wait:
            self.connection.execute("SELECT pg_advisory_lock(%s)", [_key(self.name)])
            self._is_held = True
        else:
            row = self.connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(self.name)]).fetchone()
            self._is_held = row == (True,)
        return self._is_held

    def check(self) -> None:
        with self._one_at_a_time:
            if not self._is_held:
                raise StoreError(f"the claim of {self.name} has been given up already")
            try:
                self.connection.execute("SELECT 1")
            except psycopg.Error as error:
                self._take_again(error)

    def release(self) -> None:
        """Give the lock and its session up."""
        with self._one_at_a_time:
            # The server would notice the closed connection too, but only some time after we have gone on.
            with suppress(psycopg.Error):
                if self._is_held:
                    self.connection.execute("SELECT pg_advisory_unlock(%s)", [_key(self.name)])
            self._is_held = False
            self.connection.close()

    def _take_again(self, reason: psycopg.Error) -> None:
        """Take the lock in a new session. The server may not have noticed yet that the old one, which has it, is gone.

        Raises:
            StoreUnreachable: It cannot be had now.
        """
        with store_errors(f"the claim of {self.name} lost its connection ({reason}), and cannot get another"):
            connection = self.connect()
        self.connection.close()
        self.connection = connection
        with store_errors(f"the claim of {self.name} lost its connection ({reason}), and cannot be taken again"):
            is_taken = self.take()
        if not is_taken:
            self._is_held = True  # by a session that is not this one, so that the next check comes here again
            connection.close()
            message = f"the claim of {self.name} lost its connection: {reason}; its lock is not free again"
            raise StoreUnreachable(" ".join(message.split()))


@dataclass(frozen=True, slots=True)
class NotificationListener:
    """Hears announcements at once. The store is read now and then all the same: a dying worker announces nothing."""

    connection: psycopg.Connection
    poll_seconds: float = 5.0

    def wait(self, seconds: float) -> bool:
        with store_errors("PostgreSQL's announcements are not heard any more"):
            return any(True for _ in self.connection.notifies(timeout=seconds, stop_after=1))


def refuse_pooled(one: psycopg.Connection, another: psycopg.Connection) -> None:
    """Make sure that each connection has a session to itself.

    While `another` is in a transaction, a proxy that pools transactions has to give `one` another session than before,
    or has given `another` the session that `one` had.

    Raises:
        StoreError: They have not.
    """
    before = _session(one)
    with another.transaction():
        others = _session(another)
        if before == others or _session(one) != before:
            raise StoreError(POOLED)


def _session(connection: psycopg.Connection) -> object:
    """The server's process behind a connection."""
    return connection.execute("SELECT pg_backend_pid()").fetchone()


def _key(name: str) -> int:
    """What a lock is called in the server, which knows them by numbers of 64 bits."""
    return hash_seed("lock", name)

"""SQLite: a store in one file, for workers on one machine."""

import fcntl
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout
from sqlalchemy import URL, Connection, insert
from sqlalchemy.pool import NullPool

from tuner.errors import StoreError
from tuner.stores.database import Lock, MeasurementRow
from tuner.stores.relational.tables import measurement
from tuner.trial import hash_seed

LONGEST = 200
"""Letters of a lock file's name. File systems end at 255 bytes."""
BUSY_SECONDS = 30
"""How long a writer waits for another."""


LOOK = "SELECT count(*) FROM sqlite_master"
"""What reads something of any database."""
NO_ROOM_BESIDE = ("SQLITE_READONLY", "SQLITE_CANTOPEN")
"""How SQLite's errors begin where it may not make a file beside the database."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A database file. Locks are files in a folder beside it."""

    path: Path

    @property
    def location(self) -> URL:
        return URL.create("sqlite", database=str(self.path))

    @property
    def advice(self) -> str:
        return "; check the path that TUNER_STORE or --store gives, and its permissions"

    def exists(self) -> bool:
        return self.path.exists()

    def engine_options(self, *, reading: bool = False) -> dict[str, object]:
        if reading:  # each question anew: whether there is a log may have changed
            return {"creator": partial(_connect_to_read, self.path), "poolclass": NullPool}
        return {"creator": partial(_connect, self.path)}

    @contextmanager
    def lock(self, name: str, *, wait: bool = False) -> Iterator[Lock | None]:
        path = self._lock_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not thread-local: a claim is made in one thread and used in another.
        file_lock = FileLock(path, thread_local=False)
        try:
            file_lock.acquire(blocking=wait)
        except Timeout:
            yield None
            return
        try:
            yield HeldFile(name, file_lock)
        finally:
            file_lock.release()

    def taken(self, connection: Connection, names: Collection[str]) -> frozenset[str]:  # noqa: ARG002
        return frozenset(each for each in names if _is_locked(self._lock_file(each)))

    def announce(self, connection: Connection) -> None:
        """Nobody would hear it: listeners look by themselves."""

    @contextmanager
    def listen(self) -> Iterator["PollingListener"]:
        yield PollingListener()

    def _lock_file(self, name: str) -> Path:
        file = name.replace("/", ".")
        if len(file) > LONGEST:  # an experiment of version 0.1 may be called so, and can then still be deleted
            file = f"{file[:LONGEST]}.{hash_seed(name)}"
        return self.path.with_name(f".{self.path.name}.locks") / f"{file}.lock"

    def write_measurements(self, connection: Connection, rows: Sequence[MeasurementRow]) -> None:
        names = [column.name for column in measurement.columns]
        connection.execute(insert(measurement), [dict(zip(names, row, strict=True)) for row in rows])


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file lock that is held: by the kernel, until it is released or the process ends."""

    name: str
    file_lock: BaseFileLock

    def check(self) -> None:
        if not self.file_lock.is_locked:
            raise StoreError(f"the claim of {self.name} has been given up already")


@dataclass(frozen=True, slots=True)
class PollingListener:
    """Hears nothing, because SQLite has no announcements. The store is read often instead."""

    poll_seconds: float = 0.25

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        return False


def _is_locked(path: Path) -> bool:
    """Whether somebody holds a file's lock: it can be had for a moment if not."""
    if not path.exists():
        return False
    probe = FileLock(path)
    try:
        probe.acquire(blocking=False)
    except Timeout:
        return True
    except PermissionError:
        return _is_locked_for_readers(path)
    probe.release()
    return False


def _is_locked_for_readers(path: Path) -> bool:
    """Whether somebody holds the lock of a file that we may not write to; that of one we may not read, perhaps."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that does not wait for the disk at every commit, and lets others read meanwhile.

    A killed process loses nothing by that; a power cut may lose the last trials, but not damage the file.
    """
    # The file remembers the log.
    return _prepared(_open(path), "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL")


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection for reading, also in a folder where nothing can be written.

    There SQLite cannot make the file beside the database by which readers and writers know of each other. While there
    is no log, nobody writes, and the database is read as a file that does not change.
    """
    try:
        return _prepared(_open(path), LOOK)
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith(NO_ROOM_BESIDE) or _has_log(path):
            raise
    return _prepared(_open(path, "?mode=ro&immutable=1"), LOOK)


def _open(path: Path, options: str = "") -> sqlite3.Connection:
    file = f"{path.absolute().as_uri()}{options}"
    return sqlite3.connect(file, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)


def _prepared(connection: sqlite3.Connection, *statements: str) -> sqlite3.Connection:
    """The connection when these have been executed; closed if one cannot be."""
    try:
        for each in statements:
            connection.execute(each).fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _has_log(path: Path) -> bool:
    """Whether there is a log beside a database that holds what the database does not."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0

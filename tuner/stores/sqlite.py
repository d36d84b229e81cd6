"""SQLite: a store in one file, for workers on one machine."""

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout
from sqlalchemy import URL, Connection, insert

from tuner.errors import StoreError
from tuner.stores.database import Lock, MeasurementRow
from tuner.stores.relational.tables import measurement

BUSY_SECONDS = 30
"""How long a writer waits for another."""


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
        return {"creator": partial(_connect, self.path, keep_log=not reading)}

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
        return self.path.with_name(f".{self.path.name}.locks") / f"{name.replace('/', '.')}.lock"

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
    probe.release()
    return False


def _connect(path: Path, *, keep_log: bool) -> sqlite3.Connection:
    """A connection that does not wait for the disk at every commit, and with `keep_log` lets others read meanwhile.

    A killed process loses nothing by that; a power cut may lose the last trials, but not damage the file.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        if keep_log:
            connection.execute("PRAGMA journal_mode = WAL")  # which the file remembers
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection

"""Which errors of a database may be over by themselves, which say that its disk is full, and which last.

PostgreSQL's errors are told apart by their SQLSTATE, of which the first two characters are the class:
https://www.postgresql.org/docs/current/errcodes-appendix.html. SQLite's have names: https://sqlite.org/rescode.html.
Whatever these tables do not name lasts: it is a defect, or needs somebody's decision.
"""

import errno
import sqlite3
from enum import Enum, auto

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Fault(Enum):
    """What an error means to whoever waits for the store."""

    PASSING = auto()
    """It may be over by itself, or as soon as somebody has looked after the server."""
    DISK_FULL = auto()
    """It passes when somebody makes room."""
    LASTING = auto()
    """The same question gets the same answer for as long as nothing is changed."""


PASSING_CLASSES = {
    "08": "the connection broke, or a proxy says that it cannot make one",
    "28": "a password or a right to log in that is being changed; to a new connection the server tells no code of it",
    "3D": "no such database: one that is being restored is dropped and made again",
    "40": "the transaction was rolled back, because of a deadlock say; another may get through",
    "53": "no memory, no connection or no disk left",
    "57": "somebody intervened: cancelled, timed out, shut down, starting up, database dropped for a restore",
    "58": "an error of the server's machine: a file it cannot read or write",
    "72": "an old snapshot is gone; a new transaction has a new one",
    "F0": "the server's configuration or its lock file is in the way, until somebody mends it",
}
"""Classes of PostgreSQL's errors that pass, and why."""

PASSING_CODES = {
    "25006": "read-only: a standby, a failover that is not over, or a provider's guard of a full disk",
    "25P02": "an earlier error ended this transaction; another may get through",
    "25P03": "the session was idle in a transaction for too long, because this machine slept say",
    "25P04": "the transaction took longer than the server allows",
    "55000": "not in the state for it: the database takes no connections now, or the server recovers",
    "55006": "somebody else uses it",
    "55P03": "a lock could not be had in time",
    "XX000": "an internal error: of a server that is being shut down, or of a proxy whose server is away",
}
"""Those of other classes that pass, and why."""

FULL_CODES = frozenset({"53100"})

PASSING_NAMES = {
    "SQLITE_BUSY": "another process writes",
    "SQLITE_LOCKED": "another connection of this process writes",
    "SQLITE_PROTOCOL": "others have kept the log locked for too long",
    "SQLITE_INTERRUPT": "somebody interrupted it",
    "SQLITE_NOMEM": "no memory left",
    "SQLITE_IOERR": "the disk, or the network before it, had an error; also where a file may not grow further",
    "SQLITE_CANTOPEN": "too many open files, or a folder that is away for a while",
    "SQLITE_READONLY": "the file system is read-only after an error, or rights are being changed",
}
"""Beginnings of the names of SQLite's errors that pass, and why."""

LASTING_NAMES = frozenset({"SQLITE_IOERR_CORRUPTFS", "SQLITE_READONLY_DBMOVED"})
"""Exceptions: the disk is damaged, or the file is another one now."""

FULL_NAMES = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})
"""The second comes where a file beside the database finds no place."""

FULL_NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT})

PASSING_NUMBERS = frozenset(
    {
        *(errno.EIO, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK, errno.EBUSY),
    }
)
"""Errors of files that pass: of the disk, the network before it, or what the machine has too little of."""


def fault_of(error: BaseException) -> Fault:
    """What an error of a database, or of the file of a lock, means."""
    match reason_of(error):
        case psycopg.Error() as reason if reason.sqlstate is not None:
            return _of_code(reason.sqlstate)
        case psycopg.OperationalError() | PoolTimeout():  # no server has answered
            return Fault.PASSING
        case sqlite3.Error() as reason:
            return _of_name(getattr(reason, "sqlite_errorname", ""))  # Python's own have none
        case OSError() as reason:
            return _of_number(reason)
    is_broken = isinstance(error, DBAPIError) and error.connection_invalidated
    return Fault.PASSING if is_broken else Fault.LASTING


def reason_of(error: BaseException) -> BaseException:
    """The driver's own error behind what SQLAlchemy or Optuna have made of it; the error itself if there is none."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, DBAPIError) and reason.orig is not None:
            return reason.orig
        if isinstance(reason, psycopg.Error | sqlite3.Error | PoolTimeout | OSError):
            return reason
        reason = reason.__cause__
    return error


def _of_code(code: str) -> Fault:
    if code in FULL_CODES:
        return Fault.DISK_FULL
    return Fault.PASSING if code[:2] in PASSING_CLASSES or code in PASSING_CODES else Fault.LASTING


def _of_name(name: str) -> Fault:
    if name in FULL_NAMES:
        return Fault.DISK_FULL
    return Fault.PASSING if name.startswith(tuple(PASSING_NAMES)) and name not in LASTING_NAMES else Fault.LASTING


def _of_number(error: OSError) -> Fault:
    if error.errno in FULL_NUMBERS:
        return Fault.DISK_FULL
    passes = error.errno in PASSING_NUMBERS or isinstance(error, ConnectionError)
    return Fault.PASSING if passes else Fault.LASTING

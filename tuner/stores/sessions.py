"""Connections to PostgreSQL that do not wait for ever for a server that has stopped answering.

The connections of a server that is frozen, or whose disk hangs, stay open: the kernel of its machine acknowledges for
it, so that TCP notices nothing. A question that takes long is no sign either. Hence a server is given up when it
answers nothing for a while and takes no new connection.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self, TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen

SILENCE_SECONDS = 10.0
"""After so long without an answer it is seen whether the server takes a new connection."""
CONNECT_SECONDS = 10
"""How long it may take to do so."""
CANCEL_SECONDS = 1.0
"""How long somebody who presses Ctrl-C waits until the server has heard that its answer is not wanted any more."""
INTERVAL_SECONDS = 0.1
"""How soon a wait notices Ctrl-C."""

# What psycopg has to say of a connection that breaks is said by whoever asked: in one line.
logging.getLogger("psycopg").setLevel(logging.ERROR)

Returned = TypeVar("Returned")


class _Silence(Exception):  # noqa: N818 - no error yet
    """The server does not answer, and takes no new connection."""


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is closed when its server has stopped answering, and at Ctrl-C."""

    _is_dead: Callable[[], bool] = staticmethod(lambda: False)

    @classmethod
    def open(cls, parameters: Mapping[str, Any], *, autocommit: bool = False) -> Self:
        """Connect. Raises `psycopg.OperationalError` if that fails."""
        connection = cls.connect(autocommit=autocommit, **parameters)
        connection._is_dead = lambda: _takes_none(parameters)
        return connection

    def wait(self, gen: PQGen[Returned], interval: float = INTERVAL_SECONDS, timeout: float | None = None) -> Returned:
        """Wait for an answer. Every method that asks the server something does it by this one.

        Raises:
            psycopg.OperationalError: The server has stopped answering.
            KeyboardInterrupt: Somebody has pressed Ctrl-C. psycopg itself would wait until the server had cancelled
                what it was asked.
        """
        limit = {} if timeout is None else {"timeout": timeout}
        try:
            return waiting.wait(self._watched(gen), self.pgconn.socket, interval=interval, **limit)
        except _Silence:
            self.pgconn.finish()
            message = "the server has stopped answering, and takes no new connection"
            raise psycopg.OperationalError(message) from None
        except (KeyboardInterrupt, SystemExit):
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.pgconn.finish()
            raise

    def _watched(self, gen: PQGen[Returned]) -> PQGen[Returned]:
        """The same steps; raises `_Silence` when nothing has come for a while and the server is dead."""
        heard = time.monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENCE_SECONDS:
                    if self._is_dead():
                        raise _Silence
                    heard = time.monotonic()
                state = gen.send(ready)
        except StopIteration as end:
            returned: Returned = end.value
            return returned


def _takes_none(parameters: Mapping[str, Any]) -> bool:
    """Whether the server takes no new connection. One that refuses it, for whatever reason, has answered."""
    try:
        psycopg.connect(**{**parameters, "connect_timeout": CONNECT_SECONDS}).close()
    except psycopg.errors.ConnectionTimeout:
        return True
    except psycopg.Error:
        return False
    return False

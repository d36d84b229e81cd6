"""Sessions: a proxy that lends each transaction another one is noticed, and a claim takes a new one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

import psycopg
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores.postgresql import HeldSession, refuse_pooled


class Pooled:
    """A connection through a proxy that pools transactions: each gets the session that was given back last."""

    def __init__(self, free: list[psycopg.Connection]) -> None:
        self._free = free
        self._own: psycopg.Connection | None = None

    def execute(self, query: str) -> "psycopg.Cursor[tuple[object, ...]]":
        if self._own is not None:
            return self._own.execute(query)
        session = self._free.pop()
        self._free.append(session)
        return session.execute(query)

    def transaction(self) -> AbstractContextManager[None]:
        @contextmanager
        def lent() -> Iterator[None]:
            self._own = self._free.pop()
            yield
            self._free.append(self._own)
            self._own = None

        return lent()


@pytest.mark.parametrize("sessions", [2, 3])
def test_a_proxy_that_pools_transactions_is_refused(postgres_url: str, sessions: int) -> None:
    free = [psycopg.connect(postgres_url, autocommit=True) for _ in range(sessions)]
    one, another = (cast(psycopg.Connection, Pooled(free)) for _ in range(2))

    with pytest.raises(StoreError, match=r"transaction pooling.*connect to PostgreSQL itself"):
        refuse_pooled(one, another)
    for each in free:
        each.close()


def test_sessions_of_their_own_are_accepted(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as one, psycopg.connect(postgres_url) as another:
        refuse_pooled(one, another)


def eventually(check: Callable[[], None]) -> None:
    """Check until that succeeds, for ten seconds."""
    for attempt in Retrying(stop=stop_after_delay(10), wait=wait_fixed(0.05), reraise=True):
        with attempt:
            check()


def test_a_claim_whose_new_session_breaks_at_once_may_be_had_later(postgres_url: str) -> None:
    first, broken = (psycopg.connect(postgres_url, autocommit=True) for _ in range(2))
    sessions = iter([broken])
    held = HeldSession("small/8", lambda: next(sessions, None) or psycopg.connect(postgres_url, autocommit=True), first)
    assert held.take()
    first.close()
    broken.close()  # as by a proxy whose server is away

    with pytest.raises(StoreUnreachable, match="the claim of small/8 lost its connection"):
        held.check()
    eventually(held.check)  # the server may not have noticed yet that the first session is gone

    held.release()

"""A proxy that lends each transaction another session is noticed; real sessions are not taken for one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

import psycopg
import pytest

from tuner.errors import StoreError
from tuner.stores.postgresql import refuse_pooled


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

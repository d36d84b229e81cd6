"""A server that has stopped answering is noticed; one that is slow is waited for."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, text

from tuner.errors import StoreUnreachable
from tuner.stores import sessions
from tuner.stores.database import store_errors
from tuner.stores.opening import database_at
from tuner.stores.sessions import WatchedConnection

SLOW = "SELECT pg_sleep(1)::text, 'answer'"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed soon."""
    monkeypatch.setattr(sessions, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 2)


@contextmanager
def opened(url: str) -> Iterator[WatchedConnection]:
    with closing(WatchedConnection.open(conninfo_to_dict(url), autocommit=True)) as found:
        yield found


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing, as a frozen server does."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def test_a_slow_answer_of_a_server_that_takes_connections_is_waited_for(postgres_url: str) -> None:
    with opened(postgres_url) as connection:
        assert connection.execute(SLOW).fetchone() == ("", "answer")


def test_a_server_that_takes_no_connections_is_given_up_and_the_session_with_it(postgres_url: str) -> None:
    with opened(postgres_url) as connection, silent_port() as port:
        connection._is_dead = lambda: sessions._takes_none({"host": "127.0.0.1", "port": port})

        with (
            pytest.raises(StoreUnreachable, match="it failed: the server has stopped answering, and takes no new"),
            store_errors("it failed"),
        ):
            connection.execute("SELECT pg_sleep(60)")

        assert connection.closed


def test_a_server_that_refuses_connections_has_answered(postgres_url: str) -> None:
    with opened(postgres_url) as connection:
        connection._is_dead = lambda: sessions._takes_none({**conninfo_to_dict(postgres_url), "dbname": "nowhere"})

        assert connection.execute(SLOW).fetchone() == ("", "answer")


def test_ctrl_c_ends_a_wait_and_the_session(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with opened(postgres_url) as connection:
        connection._is_dead = interrupted
        with pytest.raises(KeyboardInterrupt):
            connection.execute("SELECT pg_sleep(60)")

        assert connection.closed


def test_statements_wait_for_locks_of_others_for_a_while_and_claims_as_long_as_they_have_to(postgres_url: str) -> None:
    database = database_at(postgres_url)
    engine = create_engine(database.location, **database.engine_options())
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "20s"
    engine.dispose()
    with database.listen() as listener:
        session: psycopg.Connection = listener.connection  # type: ignore[attr-defined]
        assert session.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_options_of_the_url_come_beside_ours(postgres_url: str) -> None:
    database = database_at(f"{postgres_url}&options=-csearch_path%3Dpublic")
    engine = create_engine(database.location, **database.engine_options())
    with engine.connect() as connection:
        assert connection.execute(text("SHOW search_path")).scalar_one() == "public"
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "20s"
    engine.dispose()

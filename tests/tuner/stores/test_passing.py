"""Which errors pass: every code of PostgreSQL, raised by a real server, and the errors of SQLite and of files."""

import errno
import select
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores.database import Database, store_errors
from tuner.stores.opening import database_at
from tuner.stores.passing import Fault, fault_of
from tuner.stores.relational.optunas import optuna_errors
from tuner.stores.urls import for_optuna

PASSING = """
08000 08001 08003 08004 08006 08007 08P01
25006 25P02 25P03 25P04
28000 28P01
3D000
40000 40001 40002 40003 40P01
53000 53200 53300 53400
55000 55006 55P03
57000 57014 57P01 57P02 57P03 57P04 57P05
58000 58030 58P01 58P02 58P03
72000
F0000 F0001
XX000
"""
"""The codes that are waited for: whoever adds one to PostgreSQL or to the table looks at this list."""

DISK_FULL = ["53100"]

CODES = sorted(
    {
        each.sqlstate
        for each in vars(psycopg.errors).values()
        if isinstance(each, type) and issubclass(each, psycopg.Error) and each.sqlstate
    }
)
"""Every code that psycopg knows, which are all of PostgreSQL's."""


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(postgres_url, autocommit=True)) as found:
        yield found


@pytest.fixture
def database(postgres_url: str) -> Database:
    return database_at(postgres_url)


def kind_of(error: Exception) -> type[StoreError]:
    """What becomes of an error where the store is asked."""
    try:
        with store_errors("the store failed"):
            raise error
    except StoreError as found:
        return type(found)


def test_every_code_that_a_server_raises_is_decided(connection: psycopg.Connection) -> None:
    found: dict[Fault, set[str]] = {each: set() for each in Fault}
    for code in CODES:
        with pytest.raises(psycopg.Error) as raised:
            connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")
        found[fault_of(raised.value)].add(str(raised.value.sqlstate))

    passing = set(PASSING.split())
    assert len(CODES) > 240
    assert found[Fault.PASSING] == passing
    assert found[Fault.DISK_FULL] == set(DISK_FULL)
    assert found[Fault.LASTING] == set(CODES) - passing - set(DISK_FULL)


@pytest.mark.parametrize("code", ["23505", "42P01", "42501", "22003", "0A000", "54000", "P0001", "XX001", "Z1234"])
def test_what_comes_again_with_the_same_question_lasts(connection: psycopg.Connection, code: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")

    assert kind_of(raised.value) is StoreError


def error_of(connection: psycopg.Connection, *statements: str) -> psycopg.Error:
    """The error at which a session's statements end."""
    try:
        for each in statements:
            connection.execute(each)
    except psycopg.Error as error:
        return error
    raise AssertionError("no statement failed")


@pytest.mark.parametrize(
    ("code", "statements"),
    [
        ("25006", ("SET default_transaction_read_only = on", "CREATE TABLE one (number integer)")),
        ("57014", ("SET statement_timeout = '20ms'", "SELECT pg_sleep(5)")),
        ("25P04", ("SET transaction_timeout = '20ms'", "BEGIN", "SELECT pg_sleep(5)")),
        ("57P01", ("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1")),
    ],
)
def test_what_a_server_does_to_a_session_passes(
    connection: psycopg.Connection, code: str, statements: tuple[str, ...]
) -> None:
    if code == "25P04" and connection.info.server_version < 17_00_00:
        pytest.skip("this server has no transaction_timeout")

    error = error_of(connection, *statements)

    assert error.sqlstate == code
    assert kind_of(error) is StoreUnreachable


def test_a_session_that_was_idle_in_its_transaction_for_too_long_passes(connection: psycopg.Connection) -> None:
    connection.execute("SET idle_in_transaction_session_timeout = '20ms'")
    connection.execute("BEGIN")
    select.select([connection.fileno()], [], [], 30)  # until the server has said so

    error = error_of(connection, "SELECT 1")

    assert error.sqlstate == "25P03"
    assert kind_of(error) is StoreUnreachable


def test_a_lock_that_somebody_else_holds_passes(postgres_url: str, connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE one (number integer)")
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE one IN ACCESS EXCLUSIVE MODE")
        error = error_of(connection, "SET lock_timeout = '20ms'", "SELECT * FROM one")

    assert error.sqlstate == "55P03"
    assert kind_of(error) is StoreUnreachable


def test_what_ends_a_new_connection_passes_because_no_code_tells_it_apart(
    postgres_url: str, connection: psycopg.Connection
) -> None:
    role = f"few_{connection.info.dbname}"
    connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
    there = make_url(postgres_url)
    missing, full = (
        each.render_as_string(hide_password=False) for each in (there.set(database="nowhere"), there.set(username=role))
    )
    try:
        for url, said in ((missing, "does not exist"), (full, "too many connections")):
            with pytest.raises(psycopg.OperationalError, match=said) as raised:
                psycopg.connect(url)
            assert raised.value.sqlstate is None
            assert kind_of(raised.value) is StoreUnreachable
    finally:
        connection.execute(f"DROP ROLE {role}")


def test_what_optuna_makes_of_an_error_is_seen_through(database: Database) -> None:
    storage = RDBStorage(for_optuna(database.location), engine_kwargs=database.engine_options())
    event.listen(storage.engine, "begin", lambda one: one.exec_driver_sql("SET TRANSACTION READ ONLY"))

    with pytest.raises(StoreUnreachable, match="read-only transaction"), store_errors("it failed"), optuna_errors():
        storage.create_new_study([StudyDirection.MINIMIZE], "one")
    storage.engine.dispose()


def named(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("SQLITE_BUSY", Fault.PASSING),
        ("SQLITE_BUSY_SNAPSHOT", Fault.PASSING),
        ("SQLITE_LOCKED_SHAREDCACHE", Fault.PASSING),
        ("SQLITE_IOERR_WRITE", Fault.PASSING),
        ("SQLITE_IOERR_FSYNC", Fault.PASSING),
        ("SQLITE_IOERR_SHMSIZE", Fault.DISK_FULL),
        ("SQLITE_IOERR_CORRUPTFS", Fault.LASTING),
        ("SQLITE_FULL", Fault.DISK_FULL),
        ("SQLITE_CANTOPEN", Fault.PASSING),
        ("SQLITE_READONLY", Fault.PASSING),
        ("SQLITE_READONLY_DBMOVED", Fault.LASTING),
        ("SQLITE_CORRUPT", Fault.LASTING),
        ("SQLITE_NOTADB", Fault.LASTING),
        ("SQLITE_CONSTRAINT_UNIQUE", Fault.LASTING),
        ("SQLITE_ERROR", Fault.LASTING),
        ("", Fault.LASTING),
    ],
)
def test_sqlite_s_errors_are_decided_by_their_names(name: str, fault: Fault) -> None:
    assert fault_of(named(name)) is fault
    assert fault_of(OperationalError("INSERT", {}, named(name))) is fault


def test_a_file_that_another_writes_and_one_that_may_not_be_written_pass(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with closing(sqlite3.connect(path, timeout=0)) as one, closing(sqlite3.connect(path)) as another:
        another.execute("CREATE TABLE one (number INTEGER)")
        another.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked") as busy:
            one.execute("BEGIN IMMEDIATE")
        another.rollback()
        one.execute("PRAGMA query_only = on")
        with pytest.raises(sqlite3.OperationalError, match="readonly") as read_only:
            one.execute("INSERT INTO one VALUES (1)")

    assert fault_of(busy.value) is Fault.PASSING
    assert fault_of(read_only.value) is Fault.PASSING


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.ENOSPC, Fault.DISK_FULL),
        (errno.EDQUOT, Fault.DISK_FULL),
        (errno.EIO, Fault.PASSING),
        (errno.EROFS, Fault.PASSING),
        (errno.EMFILE, Fault.PASSING),
        (errno.ECONNRESET, Fault.PASSING),
        (errno.EACCES, Fault.LASTING),
        (errno.ENOTDIR, Fault.LASTING),
    ],
)
def test_errors_of_files_are_decided_by_their_numbers(number: int, fault: Fault) -> None:
    assert fault_of(OSError(number, "it failed")) is fault


def test_a_pool_without_a_free_connection_and_a_connection_that_broke_pass() -> None:
    broken = DBAPIError("SELECT 1", {}, RuntimeError("gone"), connection_invalidated=True)

    assert fault_of(PoolTimeout("no connection")) is Fault.PASSING
    assert fault_of(broken) is Fault.PASSING
    assert fault_of(DBAPIError("SELECT 1", {}, RuntimeError("no"))) is Fault.LASTING

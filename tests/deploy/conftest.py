"""A database server as `deploy/` sets it up: roles, passwords in files, a port of its own."""

import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.commands import ROOT, free_port
from tests.servers import PostgresqlServer

ROLES_SQL = ROOT / "deploy" / "postgresql" / "roles.sql"
PASSWORDS = ("postgres_password", "tuner_owner_password", "tuner_worker_password", "tuner_reader_password",
             "mlflow_password")  # fmt: skip
"""The files that `deploy/` takes passwords from."""
TELLTALE = "open sesame"
"""A part of every password."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server on which `roles.sql` has been run."""

    server: PostgresqlServer
    port: int
    secrets: Path

    def password(self, role: str) -> str:
        return (self.secrets / f"{role}_password").read_text().strip()

    def url(self, role: str, *, database: str = "tuner") -> str:
        """Where a role finds a database, its password included."""
        return f"postgresql://{role}:{quote(self.password(role), safe='')}@127.0.0.1:{self.port}/{database}"


def write_passwords(folder: Path) -> None:
    """A password in each file, of any letters; all of them hold the telltale."""
    for name in PASSWORDS:
        (folder / name).write_text(f"{{{TELLTALE}}}%40 @:/'\"\\{secrets.token_hex(8)}\n")


def set_up(server: PostgresqlServer, port: int, folder: Path) -> Cluster:
    """A server with new passwords, which are written to a folder, and without any table."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for database in ("tuner", "mlflow"):
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    write_passwords(folder)
    done = server.psql(ROLES_SQL, SECRETS=str(folder))
    assert done.returncode == 0, done.stderr
    return Cluster(server, port, folder)


@pytest.fixture(scope="session")
def roles_server() -> Iterator[tuple[PostgresqlServer, int]]:
    """A server, and the port on which it asks for passwords."""
    server, port = PostgresqlServer(Path(tempfile.mkdtemp(prefix="tuner-roles-"))), free_port()
    server.listen(port)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # a test survives no power cut
        connection.execute("SELECT pg_reload_conf()")
    yield server, port
    server.crash()


@pytest.fixture
def cluster(roles_server: tuple[PostgresqlServer, int], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return set_up(*roles_server, tmp_path_factory.mktemp("secrets"))

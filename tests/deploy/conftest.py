"""A database server as `deploy/` sets it up: roles, passwords in files, a port of its own."""

import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.commands import ROOT, free_port
from tests.servers import PostgresqlServer

ROLES_SQL = ROOT / "deploy" / "postgresql" / "roles.sql"
PASSWORDS = ("postgres_password", "tuner_owner_password", "tuner_worker_password", "tuner_reader_password",
             "mlflow_password")  # fmt: skip
"""The files that `deploy/` takes passwords from."""


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
        return f"postgresql://{role}:{self.password(role)}@127.0.0.1:{self.port}/{database}"


def write_passwords(folder: Path) -> None:
    """A password in each file, as `openssl rand -hex 24` writes it; all of them begin with `telltale`."""
    for name in PASSWORDS:
        (folder / name).write_text(f"telltale{secrets.token_hex(24)}\n")


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
    """That server with new passwords and without any table."""
    server, port = roles_server
    with psycopg.connect(server.url, autocommit=True) as connection:
        for database in ("tuner", "mlflow"):
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    folder = tmp_path_factory.mktemp("secrets")
    write_passwords(folder)
    done = server.psql(ROLES_SQL, SECRETS=str(folder))
    assert done.returncode == 0, done.stderr
    return Cluster(server, port, folder)

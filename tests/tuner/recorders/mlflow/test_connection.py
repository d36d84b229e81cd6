"""How MLflow's SQLite database is written: with a log, and without waiting for the disk."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from tuner.recorders.mlflow.connection import connect, ping, write_ahead
from tuner.recorders.patience import Patience

FULL, NORMAL = 2, 1
"""As SQLite counts how much a commit waits for the disk."""


def settings(url: str) -> tuple[str, int]:
    """How a new connection to a database is set up: its journal, and how much it waits for the disk."""
    engine = create_engine(url)
    with engine.connect() as connection:
        mode, wait = (connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous"))
    engine.dispose()
    return str(mode), int(str(wait))


def test_a_commit_to_a_new_database_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/deep/mlflow.db"
    ping(uri, Patience(60))

    assert settings(uri) == ("wal", NORMAL)


def test_a_database_is_known_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    connect(f"sqlite:///{tmp_path}/link/mlflow.db")

    assert settings(f"sqlite:///{tmp_path}/real/mlflow.db") == ("wal", NORMAL)


def test_other_databases_wait_for_the_disk_as_before(tmp_path: Path) -> None:
    ping(f"sqlite:///{tmp_path}/mlflow.db", Patience(60))

    assert settings(f"sqlite:///{tmp_path}/store.db") == ("delete", FULL)
    assert settings("sqlite://") == ("memory", FULL)


def test_a_database_that_cannot_have_a_log_now_waits_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    write_ahead(path)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("CREATE TABLE something (x)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM something").fetchall()

        assert settings(f"sqlite:///{path}?timeout=0") == ("delete", FULL)

    assert settings(f"sqlite:///{path}?timeout=0") == ("wal", NORMAL)

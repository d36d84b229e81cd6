"""Opening the store at a URL."""

from pathlib import Path

from sqlalchemy import Engine, create_engine, inspect

from tuner.errors import StoreError
from tuner.stores import Records, Store
from tuner.stores.database import Database, store_errors
from tuner.stores.postgresql import PostgresqlServer
from tuner.stores.relational.progress_reader import ProgressReader
from tuner.stores.relational.record_reader import RecordReader
from tuner.stores.relational.tables import SCHEMA_VERSION, optuna_study
from tuner.stores.relational.upgrades import refuse_newer, stored_version
from tuner.stores.sqlite import SqliteFile
from tuner.stores.urls import parse, visible

TABLES_SHOWN = 3


def open_store(url: str, *, create: bool = True) -> Store:
    """The store at `sqlite:///path` or `postgresql://user@host/database`; made if it is not there, with `create`.

    PostgreSQL's connection options may follow the URL (`?sslmode=verify-full`); libpq's variables and its password
    file are respected. Special characters of a password are percent-encoded.

    Raises:
        StoreError: It cannot be reached, is not there, is no store, or was written by a newer version.
    """
    from tuner.stores.relational.store import RelationalStore  # imports Optuna, which readers do without

    if not create:
        _, engine = _existing(url)
        engine.dispose()
    return RelationalStore(database_at(url))


def open_progress(url: str) -> ProgressReader:
    """How far experiments are, in a store that is there; one of an older version is upgraded.

    Raises:
        StoreError: It cannot be reached, is not there, is no store, or was written by a newer version.
    """
    return ProgressReader(*_existing(url))


def open_records(url: str) -> Records:
    """What a store holds that is there; one of an older version is upgraded.

    Raises:
        StoreError: It cannot be reached, is not there, is no store, or was written by a newer version.
    """
    return RecordReader(*_existing(url))


def database_at(url: str) -> Database:
    """The database of a URL, not yet opened. Raises `StoreError` if it cannot be read."""
    location = parse(url)
    if location.get_backend_name() == "sqlite":
        return SqliteFile(Path(location.database or "").absolute())  # even if the process changes its folder later
    return PostgresqlServer(location)


def _existing(url: str) -> tuple[Database, Engine]:
    """The database of a store that is there, in this version. Raises `StoreError`, and has then changed nothing."""
    database = database_at(url)
    _refuse_missing(database)
    engine = create_engine(database.location, **database.engine_options(reading=True))
    try:
        if _version(database, engine) < SCHEMA_VERSION:
            open_store(url).close()
    except StoreError:
        engine.dispose()
        raise
    return database, engine


def _version(database: Database, engine: Engine) -> int:
    """The version of the store in a database. Raises `StoreError` if it holds none, or one of a newer version."""
    shown = visible(database.location)
    with store_errors(f"the store {shown} cannot be opened", advice=database.advice):
        version, tables = _stored(engine)
        if version is None and optuna_study.name in tables:
            with database.lock(
                "open", wait=True
            ):  # another process may be making the store: Optuna's tables come first
                version, tables = _stored(engine)
    if version is None:
        found = f"{len(tables)} other tables, such as {', '.join(tables[:TABLES_SHOWN])}" if tables else "nothing"
        advice = f"--store or TUNER_STORE names another{'' if tables else ', and `tuner migrate` makes one there'}"
        raise StoreError(f"there is no store in {shown}, which holds {found}; {advice}")
    refuse_newer(version, url=shown)
    return version


def _stored(engine: Engine) -> tuple[int | None, list[str]]:
    """The version of the store in a database, if there is one, and the names of the tables if there is none."""
    with engine.connect() as connection:
        version = stored_version(connection)
        return version, sorted(inspect(connection).get_table_names()) if version is None else []


def _refuse_missing(database: Database) -> None:
    """Raise `StoreError` if it is certain that there is no such store."""
    if not database.exists():
        path = database.location.database
        raise StoreError(f"there is no store at {path}; `tuner run` makes it, --store or TUNER_STORE names another")

"""From a URL to a store."""

from pathlib import Path

from tuner.errors import StoreError
from tuner.stores import Store
from tuner.stores.database import Database
from tuner.stores.postgresql import PostgresqlServer
from tuner.stores.relational import RelationalStore
from tuner.stores.sqlite import SqliteFile
from tuner.stores.urls import parse


def open_store(url: str, *, create: bool = True) -> Store:
    """The store at `sqlite:///path` or `postgresql://user@host/database`; made if it is not there, with `create`.

    PostgreSQL's connection options may follow the URL (`?sslmode=verify-full`); libpq's variables and its password
    file are respected. Special characters of a password are percent-encoded.

    Raises:
        StoreError: It cannot be reached, is not there, is no store, or was written by a newer version.
    """
    database = database_at(url)
    if not (create or database.exists()):
        path = database.location.database
        raise StoreError(f"there is no store at {path}; `tuner run` makes it, --store or TUNER_STORE names another")
    return RelationalStore(database)


def database_at(url: str) -> Database:
    """The database of a URL, not yet opened. Raises `StoreError` if it cannot be read."""
    location = parse(url)
    if location.get_backend_name() == "sqlite":
        return SqliteFile(Path(location.database or "").absolute())  # even if the process changes its folder later
    return PostgresqlServer(location)

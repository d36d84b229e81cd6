"""Upgrades of the tables of older versions."""

import uuid

from sqlalchemy import Connection, insert, inspect, select, text, update

from tuner.errors import StoreError
from tuner.stores import checking
from tuner.stores.checking import reading
from tuner.stores.relational.tables import SCHEMA_VERSION, schema

UPGRADES = {
    1: ("ALTER TABLE study ADD COLUMN space TEXT",),
    2: (
        "ALTER TABLE experiment ADD COLUMN state TEXT NOT NULL DEFAULT 'open'",
        "ALTER TABLE study ADD COLUMN worker TEXT",
        "ALTER TABLE study ADD COLUMN device TEXT",
        "ALTER TABLE study ADD COLUMN claimed TIMESTAMP",
        "ALTER TABLE study ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE study ADD COLUMN error TEXT",
    ),
    3: (
        "ALTER TABLE trial_end ADD COLUMN study_id INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE trial_end ADD COLUMN role TEXT NOT NULL DEFAULT 'search'",
        # A study that was deleted in a dashboard leaves ends of no trial.
        """
        UPDATE trial_end SET study_id = trials.study_id, role = replace(attribute.value_json, '"', '')
        FROM trials, trial_user_attributes AS attribute
        WHERE trials.trial_id = trial_end.trial_id
        AND attribute.trial_id = trial_end.trial_id AND attribute.key = 'role'
        """,
        "CREATE INDEX trial_end_study ON trial_end (study_id)",
    ),
    4: ("ALTER TABLE measurement ADD COLUMN examples INTEGER",),
    5: ("ALTER TABLE study ADD COLUMN stage TEXT NOT NULL DEFAULT 'search'",),
    6: (),  # trials may end with an error, which earlier versions cannot read
    7: ("ALTER TABLE tuner_schema ADD COLUMN identity TEXT",),
    8: (),  # trials may have roles that earlier versions cannot read
}
"""What leads from each version to the next."""


def stored_version(connection: Connection) -> int | None:
    """The version of a store's tables; None if it has none yet. Raises `DamagedRecord`."""
    version = connection.scalar(select(schema.c.version)) if inspect(connection).has_table(schema.name) else None
    with reading("the version of the store"):
        return None if version is None else checking.whole(version, "version", least=1)


def stored_identity(connection: Connection) -> str:
    """What tells a store from all others. The tables must be of this version."""
    return connection.execute(select(schema.c.identity)).scalar_one() or ""


def refuse_newer(version: int | None, *, url: str) -> None:
    """Raise `StoreError` if a newer version than this has been at the store at `url`."""
    if version is not None and version > SCHEMA_VERSION:
        message = f"the store {url} was written by a newer tuner"
        raise StoreError(f"{message} (version {version}, this one knows {SCHEMA_VERSION}); update batch-tuner")


def upgrade(connection: Connection) -> None:
    """Bring a store's tables to this version, in the connection's transaction."""
    version = connection.scalar(select(schema.c.version))
    if version is None:
        connection.execute(insert(schema).values(version=SCHEMA_VERSION, identity=uuid.uuid4().hex))
    elif version < SCHEMA_VERSION:
        # The version comes first: Python's SQLite begins a transaction at an UPDATE, and would not at an ALTER.
        connection.execute(update(schema).values(version=SCHEMA_VERSION))
        for each in range(version, SCHEMA_VERSION):
            for statement in UPGRADES[each]:
                connection.execute(text(statement))
        connection.execute(update(schema).where(schema.c.identity.is_(None)).values(identity=uuid.uuid4().hex))

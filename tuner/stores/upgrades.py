"""From the tables of older versions to those of this one."""

from sqlalchemy import Connection, insert, select, text, update

from tuner.stores.tables import SCHEMA_VERSION, schema

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
}
"""What leads from each version to the next."""


def upgrade(connection: Connection) -> None:
    """Bring a store's tables to this version, in the connection's transaction."""
    version = connection.scalar(select(schema.c.version))
    if version is None:
        connection.execute(insert(schema).values(version=SCHEMA_VERSION))
    elif version < SCHEMA_VERSION:
        # The version comes first: Python's SQLite begins a transaction at an UPDATE, and would not at an ALTER.
        connection.execute(update(schema).values(version=SCHEMA_VERSION))
        for each in range(version, SCHEMA_VERSION):
            for statement in UPGRADES[each]:
                connection.execute(text(statement))

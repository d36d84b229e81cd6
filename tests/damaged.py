"""Stores with one damaged value, row or table each, for the tests of what is said of them."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.toy import SMALL
from tests.working import work_through
from tuner.experiment import parse
from tuner.records import Timing
from tuner.stores.opening import open_store

GARBAGE: tuple[object, ...] = (None, "garbage", "", -1, 10**12, 1e300, b"\x00\xff", "[]", "{}", '"garbage"')
"""What a value is replaced by: also by no number, which SQLite keeps as NULL."""

OURS = (
    *("experiment", "study", "trial_end", "trial_failure", "measurement", "experiment_growth", "timing"),
    "tuner_schema",
)
OPTUNAS = (
    *("studies", "study_directions", "trials", "trial_values", "trial_params", "trial_user_attributes"),
    *("trial_intermediate_values", "study_user_attributes", "study_system_attributes", "version_info"),
    "alembic_version",
)


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with a store.

    Attributes:
        column: Of the value; `-` if the row is missing, `+` if it is there twice.
        value: What the value is replaced by.
    """

    table: str
    column: str
    value: object = None

    def __str__(self) -> str:
        return f"{self.table}.{self.column}={self.value!r}" if self.column not in "-+" else f"{self.column}{self.table}"

    def do(self, path: Path) -> None:
        """Damage a store: a row in the midst of a table, which loses its constraints before."""
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE loose AS SELECT * FROM {self.table}")
            database.execute(f"DROP TABLE {self.table}")
            database.execute(f"ALTER TABLE loose RENAME TO {self.table}")
            where = f"rowid = (SELECT max(1, (max(rowid) + 1) / 2) FROM {self.table})"
            if self.column == "-":
                database.execute(f"DELETE FROM {self.table} WHERE {where}")
            elif self.column == "+":
                database.execute(f"INSERT INTO {self.table} SELECT * FROM {self.table} WHERE {where}")
            else:
                database.execute(f'UPDATE {self.table} SET "{self.column}" = ? WHERE {where}', [self.value])


def make_store(path: Path) -> None:
    """A store with the toy, which was complete and has been given more to do, and with another experiment."""
    toy = parse(SMALL, source="toy.toml")
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.submit(toy)
        work_through(store)
        store.submit(parse(SMALL.replace("points = 12", "points = 13"), source="toy.toml"))
        store.add_timing("toy", Timing(8, "a GPU", (0.001, 0.002), has_measuring=False, time=datetime.now(UTC)))
        store.submit(parse(SMALL.replace('"toy"', '"other"').replace("[8, 16]", "[4]"), source="other.toml"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = DELETE")


def damages(path: Path) -> Iterator[Damage]:
    """Each thing that can be wrong with the store."""
    with closing(sqlite3.connect(path)) as database:
        for table in (*OURS, *OPTUNAS):
            if database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0:
                continue
            yield Damage(table, "-")
            yield Damage(table, "+")
            for _, column, *_ in database.execute(f"PRAGMA table_info({table})"):
                yield from (Damage(table, column, each) for each in GARBAGE)


def damaged_copy(path: Path, damage: Damage, to: Path) -> str:
    """The URL of a copy of a store that is damaged so."""
    for each in to.parent.glob(f"{to.name}*"):
        each.unlink()
    shutil.copyfile(path, to)
    damage.do(to)
    return f"sqlite:///{to}"

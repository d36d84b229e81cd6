"""Large stores, soon filled: one experiment is searched through the interface of stores, and copied in the database.

The copies are rows of all tables, Optuna's included, with names and identifiers of their own.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    select,
    text,
)

from tests.benchmarks.simulated import simulated
from tests.working import work_through
from tuner.stores.opening import database_at, open_progress, open_store

BATCH_SIZES = tuple(2**power for power in range(3, 13))
TRIALS = 100
"""Of each study, those that confirm its winner included."""
POINTS = 100
"""Of each curve."""
LAST = {"experiment_id": 1, "study_id": len(BATCH_SIZES), "trial_id": len(BATCH_SIZES) * TRIALS}
"""The last identifiers of the first experiment. Those that occur in one table only are counted by the database."""
NAMED = {
    ("experiment", "name"),
    ("experiment", "settings"),
    ("studies", "study_name"),
    ("study_user_attributes", "value_json"),
}
"""Columns that hold the experiment's name."""
COUNTED = {"experiment": "experiment_id", "studies": "study_id", "trials": "trial_id"}
"""Columns whose values PostgreSQL counts."""


def experiment_name(number: int) -> str:
    """What the experiments of a filled store are called. The first was searched, the others are its copies."""
    return f"scale-{number}"


def fill(url: str, *, experiments: int) -> None:
    """Fill an empty store."""
    with closing(open_store(url)) as store:
        store.submit(simulated(experiment_name(0), batch_sizes=BATCH_SIZES, trials=TRIALS, measurements=POINTS))
        work_through(store)
    with _engine(url) as engine:
        tables = MetaData()
        tables.reflect(engine)
        for number in range(1, experiments):
            with engine.begin() as connection:
                for each in tables.sorted_tables:
                    _copy(connection, each, number)
        _settle(engine)


def verify(url: str, *, experiments: int) -> None:
    """Make sure that a store reads a copy as it reads the experiment that was searched: trials, curves and counts."""
    first, last = experiment_name(0), experiment_name(experiments - 1)
    with closing(open_store(url)) as store, closing(open_progress(url)) as progress:
        assert store.record(last).studies == store.record(first).studies
        assert store.record(last).experiment == replace(store.record(first).experiment, name=last)
        for size in BATCH_SIZES[:2]:
            assert len(store.curves(last, size)) == TRIALS
            assert store.curves(last, size) == store.curves(first, size)
        counted = {each.experiment.name: each.studies for each in progress.read()}
        assert len(counted) == experiments
        assert counted[last] == counted[first]
        assert sum(each.done for studies in counted.values() for each in studies) == experiments * LAST["trial_id"]


def _copy(connection: Connection, table: Table, number: int) -> None:
    """Copy the first experiment's rows of a table."""
    shared = [each for each in LAST if each in table.columns]
    if not shared:
        return
    own = {each.name for each in table.primary_key} - set(shared)
    copied = {each.name: _copied(each, number) for each in table.columns if each.name not in own}
    first = (table.columns[each] <= LAST[each] for each in shared)
    connection.execute(insert(table).from_select(list(copied), select(*copied.values()).where(*first)))


def _copied(column: Column[object], number: int) -> ColumnElement[object]:
    """What becomes of a column's values."""
    if column.name in LAST:
        return column + number * LAST[column.name]
    if (column.table.description, column.name) in NAMED:
        return func.replace(column, f"{experiment_name(0)}", f"{experiment_name(number)}")
    return column


def _settle(engine: Engine) -> None:
    """What a server does in time by itself, once it has many rows; and let its counters go on after the copies."""
    is_server = engine.dialect.name == "postgresql"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table, column in COUNTED.items() if is_server else ():
            last = f"(SELECT max({column}) FROM {table})"
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {last})"))
        connection.execute(text("VACUUM ANALYZE" if is_server else "ANALYZE"))


def sizes(url: str) -> Mapping[str, tuple[int, int]]:
    """Bytes of each table of a PostgreSQL store and of its indexes, the largest first."""
    query = """
        SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_total_relation_size(oid) DESC
    """
    with _engine(url) as engine, engine.connect() as connection:
        return {name: (table, index) for name, table, index in connection.execute(text(query))}


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    """The database behind a store's back."""
    database = database_at(url)
    engine = create_engine(database.location, **database.engine_options())
    try:
        yield engine
    finally:
        engine.dispose()

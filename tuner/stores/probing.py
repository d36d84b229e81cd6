"""Looking at a store without changing anything in it."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import create_engine, func, select

from tuner.stores.database import Database, store_errors
from tuner.stores.relational.tables import SCHEMA_VERSION, UtcDateTime
from tuner.stores.relational.upgrades import stored_identity, stored_version
from tuner.stores.urls import visible

QUESTIONS = 5
"""How often the store is asked for its latency."""


@dataclass(frozen=True, slots=True)
class StoreProbe:
    """What was found of a store.

    Attributes:
        version: Of our own tables; None if there are none yet.
        latency: Seconds that a question takes, median.
        clock: Seconds by which its clock is ahead of ours, half a latency more or less.
        identity: What tells it from all others; empty if its tables are of another version.
    """

    version: int | None
    latency: float
    clock: float
    identity: str = ""


def probe(database: Database) -> StoreProbe:
    """Ask a store what it is, and whether claims would last in it.

    Raises:
        StoreError: It cannot be reached, or claims would not last.
    """
    engine = create_engine(database.location, **database.engine_options(reading=True))
    doing = f"the store {visible(database.location)} cannot be used"
    try:
        with store_errors(doing, advice=database.advice), engine.connect() as connection:
            version = stored_version(connection)
            identity = stored_identity(connection) if version == SCHEMA_VERSION else ""
            seconds = []
            for _ in range(QUESTIONS):
                began = time.perf_counter()
                connection.execute(select(1))
                seconds.append(time.perf_counter() - began)
            theirs = connection.scalar(select(func.current_timestamp(type_=UtcDateTime)))
            now = datetime.now(UTC)
            with database.lock("doctor", wait=True):
                pass
    finally:
        engine.dispose()
    clock = (theirs - now).total_seconds() if isinstance(theirs, datetime) else 0.0
    return StoreProbe(version, median(seconds), clock, identity)

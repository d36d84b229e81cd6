"""Times of training steps. Each measurement is kept; of a batch size on a device the newest counts."""

import json

from sqlalchemy import Connection, Row, insert, select

from tuner.errors import DamagedRecord
from tuner.records import Timing, newest
from tuner.stores import checking
from tuner.stores.checking import reading
from tuner.stores.relational.tables import timing


def insert_timing(connection: Connection, experiment_id: int, measured: Timing) -> None:
    """Store a measurement in the connection's transaction."""
    row = {
        "experiment_id": experiment_id,
        "batch_size": measured.batch_size,
        "device": measured.device,
        "seconds": json.dumps(list(measured.seconds)),
        "has_measuring": measured.has_measuring,
        "time": measured.time,
    }
    connection.execute(insert(timing).values(row))


def read_timings(connection: Connection, experiment_id: int, name: str) -> tuple[tuple[Timing, ...], tuple[str, ...]]:
    """The newest measurements of an experiment of this name; and what is wrong with those that are damaged."""
    query = select(timing).where(timing.c.experiment_id == experiment_id).order_by(timing.c.timing_id)
    found, damaged = [], []
    for row in connection.execute(query):
        try:
            with reading(f"a time of a step of {name}"):
                found.append(_timing(row))
        except DamagedRecord as error:
            damaged.append(str(error))
    return newest(found), tuple(dict.fromkeys(damaged))


def _timing(row: Row[*tuple[object, ...]]) -> Timing:
    """A stored measurement. Raises `ValueError`, or whatever else cannot make sense of it."""
    values = json.loads(checking.text(row.seconds, "seconds"))
    seconds = tuple(checking.number(each, "seconds") for each in values)
    if not seconds or min(seconds) <= 0:
        raise ValueError(f"its seconds is {checking.shown(row.seconds)}, and no list of positive numbers")
    return Timing(
        batch_size=checking.whole(row.batch_size, "batch_size", least=1),
        device=checking.text(row.device, "device", least=1),
        seconds=seconds,
        has_measuring=checking.truth(row.has_measuring, "has_measuring"),
        time=checking.time(row.time, "time"),
    )

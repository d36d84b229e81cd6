"""A full disk: said in one line, waited for, and nothing is lost when there is room again."""

import errno
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool

from tests.toy import SMALL
from tests.working import work_through
from tuner.analysis.optimum.race import choosing_runs
from tuner.errors import StoreUnreachable
from tuner.experiment import parse
from tuner.recorders import Event, Notice, StudyBroken, TrialFinished
from tuner.records import Role, TrialState
from tuner.stores import Store
from tuner.stores.database import store_errors

ROOMY = 2**30
TRIALS = 12 + choosing_runs(2, 2) + 3


@dataclass
class Disk:
    """Lets SQLite's files grow to so many pages, and never makes them smaller."""

    pages: int = ROOMY

    def limit(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}")


@pytest.fixture
def disk() -> Iterator[Disk]:
    found = Disk()
    event.listen(Pool, "checkout", found.limit)
    yield found
    event.remove(Pool, "checkout", found.limit)


def test_training_waits_for_room_and_nothing_is_lost_or_repeated(store: Store, disk: Disk) -> None:
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        if isinstance(event, TrialFinished) and event.trial.number % 7 == 3:
            disk.pages = 1
        elif isinstance(event, Notice):  # somebody complains, and makes room
            disk.pages = ROOMY

    store.submit(parse(SMALL, source="toy.toml"))
    work_through(store, emit=hear)

    said = [each.text.split(";")[0].rpartition(": ")[2] for each in events if isinstance(each, Notice)]
    assert said
    assert said == ["its disk is full", "the store answers again, after 1 s"] * (len(said) // 2)
    assert not [each for each in events if isinstance(each, StudyBroken)]
    for study in store.record("toy").studies:
        curves = store.curves("toy", study.batch_size)
        assert study.complete
        assert len(study.finished(*Role)) == len(study.trials) == TRIALS
        assert {each.state for each in study.trials} == {TrialState.FINISHED}
        assert all(len(curves[each.number]) == each.end.spent for each in study.trials if each.end is not None)


def full(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    "reason",
    [
        full("SQLITE_FULL"),
        full("SQLITE_IOERR_SHMSIZE"),
        OSError(errno.ENOSPC, "No space left on device"),
        psycopg.errors.DiskFull("could not extend file"),
    ],
)
def test_every_way_to_say_it_becomes_one_line(reason: Exception) -> None:
    wrapped = reason if isinstance(reason, OSError) else OperationalError("INSERT", {}, reason)

    with (
        pytest.raises(StoreUnreachable, match=r"^the store failed: its disk is full; make room there$"),
        store_errors("the store failed", advice="; look at its path"),
    ):
        raise wrapped

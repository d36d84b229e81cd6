"""Faults that pass: a live worker waits for them, in two lines, and goes on by itself."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event as events
from sqlalchemy import make_url
from sqlalchemy.pool import Pool

from tests.toy import SMALL
from tests.working import work_through
from tuner.errors import StoreUnreachable
from tuner.experiment import parse
from tuner.recorders import Event, Notice, StudyFinished, TrialFinished
from tuner.records import Role
from tuner.stores.opening import open_store
from tuner.stores.relational.store import DEATHS

ONE = parse(SMALL, source="toy.toml")
TRIALS = 12 + 2 + 3
FAULT_SECONDS = 3.0
"""How long a fault lasts: time for dozens of attempts, if they did not wait."""


class Mender:
    """Hears what a worker says, and mends the fault some time after the first complaint."""

    def __init__(self, mend: Callable[[], None]) -> None:
        self.events: list[Event] = []
        self.timer = threading.Timer(FAULT_SECONDS, mend)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Notice) and len(self.notices) == 1:
            self.timer.start()

    @property
    def notices(self) -> list[str]:
        return [each.text for each in self.events if isinstance(each, Notice)]

    @property
    def completed(self) -> list[int]:
        """The batch sizes of the studies that were seen through."""
        return [each.study.batch_size for each in self.events if isinstance(each, StudyFinished)]


def set_read_only(url: str, state: str) -> None:
    """Make a database read-only, or not, and end its sessions, as a failover does."""
    with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET default_transaction_read_only = {state}")
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("moment", [None, 5])
def test_a_database_that_is_read_only_for_a_while_is_waited_for_in_two_lines(
    postgres_url: str, moment: int | None
) -> None:
    mender = Mender(lambda: set_read_only(postgres_url, "off"))

    def hear(event: Event) -> None:
        mender(event)
        if isinstance(event, TrialFinished) and (event.batch_size, event.trial.number) == (16, moment):
            set_read_only(postgres_url, "on")

    with closing(open_store(postgres_url)) as store:
        store.submit(ONE)
        if moment is None:  # before anything is claimed
            set_read_only(postgres_url, "on")
        work_through(store, emit=hear)
        record = store.record("toy")

    assert sorted(mender.completed) == [8, 16]  # which first depends on how long each was left alone
    assert all(len(each.finished(*Role)) == TRIALS for each in record.studies)
    assert_waited_for(mender.notices, "")


def test_a_table_that_somebody_has_locked_is_waited_for_in_two_lines(postgres_url: str) -> None:
    url = make_url(postgres_url).update_query_dict({"options": "-c lock_timeout=100ms"})

    with (
        closing(psycopg.connect(postgres_url)) as other,
        closing(open_store(url.render_as_string(hide_password=False))) as store,
    ):
        mender = Mender(other.rollback)
        store.submit(ONE)
        other.execute("LOCK TABLE trials IN ACCESS EXCLUSIVE MODE")
        work_through(store, emit=mender)

    assert sorted(mender.completed) == [8, 16]  # which first depends on how long each was left alone
    assert_waited_for(mender.notices, "lock timeout")


def test_a_claim_that_fails_counts_for_no_death(postgres_url: str) -> None:
    url = make_url(postgres_url).update_query_dict({"options": "-c lock_timeout=10ms"})

    with (
        closing(psycopg.connect(postgres_url)) as other,
        closing(open_store(url.render_as_string(hide_password=False))) as store,
    ):
        store.submit(ONE)
        other.execute("LOCK TABLE trials IN ACCESS EXCLUSIVE MODE")
        for _ in range(DEATHS + 1):
            with pytest.raises(StoreUnreachable, match="lock timeout"), store.claim("toy", 16):
                raise AssertionError("it was claimed")
        other.rollback()
        with store.claim("toy", 16) as claim:
            assert claim is not None
            assert claim.record().error == ""


def test_a_disk_that_is_full_before_anything_is_claimed_is_waited_for_in_two_lines(tmp_path: Path) -> None:
    pages = [1]
    mender = Mender(lambda: pages.append(2**30))

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[-1]}")

    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        store.submit(ONE)
        events.listen(Pool, "checkout", limit)
        try:
            work_through(store, emit=mender)
        finally:
            events.remove(Pool, "checkout", limit)

    assert sorted(mender.completed) == [8, 16]  # which first depends on how long each was left alone
    assert_waited_for(mender.notices, "its disk is full; make room there")


def assert_waited_for(notices: list[str], reason: str) -> None:
    """One line when it begins, and one when it is over."""
    began, ended = notices
    assert reason in began
    assert began.endswith("; trying again, less and less often")
    assert ended.startswith("the store answers again, after ")

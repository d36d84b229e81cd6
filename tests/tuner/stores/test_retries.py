"""A store that does not answer is asked again, for a while."""

import itertools
import re

import pytest

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores.retries import Patience, Reminder, patient


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock goes on only while somebody sleeps; how long each time."""
    naps: list[float] = []
    monkeypatch.setattr("tuner.stores.retries.time.sleep", naps.append)
    monkeypatch.setattr("tuner.stores.retries.time.monotonic", lambda: sum(naps))
    return naps


def away(times: int) -> "itertools.count[int]":
    """Counts calls of `ask`."""
    return itertools.count(-times)


def ask(calls: "itertools.count[int]") -> str:
    if next(calls) < 0:
        raise StoreUnreachable("the server is away")
    return "answer"


class Writer:
    """Whoever has patience, and asks."""

    def __init__(self) -> None:
        self.patience = Patience()

    @patient
    def ask(self, calls: "itertools.count[int]") -> str:
        return ask(calls)


def test_what_works_is_done_once(slept: list[float]) -> None:
    calls = away(0)

    assert Patience().retry(lambda: ask(calls)) == "answer"
    assert next(calls) == 1
    assert slept == []


def test_a_store_that_comes_back_is_waited_for_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    calls = away(5)

    assert Writer().ask(calls) == "answer"
    began, ended = (each.message for each in caplog.records)
    assert began == "the server is away; trying again, less and less often"
    assert re.fullmatch("the store answers again, after [3-6] s", ended)


def test_a_state_that_lasts_is_told_of_after_a_minute_and_then_less_and_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(StoreUnreachable):
        Patience().retry(lambda: ask(away(1_000_000)))

    told = [each.message.partition(" s: ")[0] for each in caplog.records]
    assert told[0] == "the server is away; trying again, less and less often"
    assert [each[:18] for each in told[1:]] == ["still, after 1 min", "still, after 3 min", "still, after 7 min"]


def test_two_that_wait_at_once_say_one_line(caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience()
    patience.fail(StoreUnreachable("the server is away"))

    calls = away(3)
    patience.retry(lambda: ask(calls))

    assert [each.message for each in caplog.records] == [
        "the server is away; trying again, less and less often",
        "the store answers again, after 1 s",
    ]


def test_what_works_while_something_else_fails_does_not_end_the_state(caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience()
    patience.fail(StoreUnreachable("the disk is full"))

    patience.retry(lambda: ask(away(0)))
    patience.fail(StoreUnreachable("the disk is full"))

    assert [each.message for each in caplog.records] == ["the disk is full; trying again, less and less often"]


def test_reminders_come_after_a_minute_and_then_after_twice_as_long_up_to_the_most() -> None:
    now = [0.0]
    reminder = Reminder(most=300, clock=lambda: now[0])
    reminder.begin()

    due = []
    for second in range(1200):
        now[0] = float(second)
        if reminder.is_due():
            due.append(second)

    assert due == [60, 180, 420, 720, 1020]
    reminder.end()
    assert not reminder.is_due()


def test_waits_grow_to_ten_seconds_and_end_after_ten_minutes(slept: list[float]) -> None:
    calls = away(1_000_000)

    with pytest.raises(StoreUnreachable, match="the server is away"):
        Patience().retry(lambda: ask(calls))

    attempts = next(calls) + 1_000_000
    assert 600 <= sum(slept) <= 610
    assert 60 <= attempts <= 130


def test_other_errors_are_not_waited_for(slept: list[float]) -> None:
    def fail() -> None:
        raise StoreError("the table is gone")

    with pytest.raises(StoreError, match="the table is gone"):
        Patience().retry(fail)
    assert slept == []


def test_whoever_gives_up_does_not_wait(slept: list[float]) -> None:
    calls = away(1_000_000)

    with pytest.raises(StoreUnreachable):
        Patience(lambda: len(slept) >= 3).retry(lambda: ask(calls))
    assert len(slept) == 3

"""A store that does not answer is asked again, for a while."""

import itertools

import pytest

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores.retries import patient, retry


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


def test_what_works_is_done_once(slept: list[float]) -> None:
    calls = away(0)

    assert retry(lambda: ask(calls)) == "answer"
    assert next(calls) == 1
    assert slept == []


def test_a_store_that_comes_back_is_waited_for_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    calls = away(5)

    assert patient(ask)(calls) == "answer"
    assert [each.message for each in caplog.records] == ["the server is away; trying again for 10 minutes"]


def test_waits_grow_to_ten_seconds_and_end_after_ten_minutes(slept: list[float]) -> None:
    calls = away(1_000_000)

    with pytest.raises(StoreUnreachable, match="the server is away"):
        retry(lambda: ask(calls))

    attempts = next(calls) + 1_000_000
    assert 600 <= sum(slept) <= 610
    assert 60 <= attempts <= 130


def test_other_errors_are_not_waited_for(slept: list[float]) -> None:
    def fail() -> None:
        raise StoreError("the table is gone")

    with pytest.raises(StoreError, match="the table is gone"):
        retry(fail)
    assert slept == []


def test_whoever_gives_up_does_not_wait(slept: list[float]) -> None:
    calls = away(1_000_000)

    with pytest.raises(StoreUnreachable):
        retry(lambda: ask(calls), give_up=lambda: len(slept) >= 3)
    assert len(slept) == 3

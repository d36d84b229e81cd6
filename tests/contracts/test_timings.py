"""Times of training steps: what every kind of store keeps of them, and what it says of those that are damaged."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, text

from tests.contracts.stored import database, small
from tuner.errors import StoreError
from tuner.records import ExperimentRecord, Timing
from tuner.stores import Store
from tuner.stores.opening import open_records

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def timed(batch_size: int = 64, device: str = "NVIDIA H100 80GB HBM3", *seconds: float, hour: int = 0) -> Timing:
    """A measurement; by default of seconds that have no short decimal."""
    return Timing(
        batch_size, device, seconds or (0.001 / 3, 0.0002, 7e-5), has_measuring=False, time=NOON + timedelta(hours=hour)
    )


def read(store_url: str, name: str = "small") -> ExperimentRecord:
    with closing(open_records(store_url)) as records:
        return records.record(name)


def test_timings_come_back_by_device_and_batch_size_and_of_each_the_newest(store: Store, store_url: str) -> None:
    store.submit(small(name="other"))
    first, second = timed(64), timed(64, "NVIDIA H100 80GB HBM3", 0.5, hour=1)
    for each in (first, timed(8), timed(64, "a slow CPU", 3.0), second):
        store.add_timing("small", each)

    assert store.record("small").timings == (timed(8), second, timed(64, "a slow CPU", 3.0))
    assert read(store_url).timings == store.record("small").timings
    assert read(store_url, "other").timings == ()


def test_the_deletion_of_an_experiment_deletes_its_timings_and_no_others(store: Store, store_url: str) -> None:
    store.submit(small(name="other"))
    for name in ("small", "other"):
        store.add_timing(name, timed())

    store.delete("small")

    assert read(store_url, "other").timings == (timed(),)
    with database(store_url) as connection:
        assert connection.execute(text("SELECT count(*) FROM timing")).scalar_one() == 1
        assert "timing" in inspect(connection).get_table_names()


def test_the_time_of_a_step_of_an_unknown_experiment_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no experiment unknown"):
        store.add_timing("unknown", timed())


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("seconds", "[]", r"its seconds is '\[\]', and no list of positive numbers"),
        ("seconds", "[0.1, -1]", "and no list of positive numbers"),
        ("seconds", "[NaN]", "its seconds is nan, and no finite number"),
        ("seconds", "0.1", "'float' object is not iterable"),
        ("batch_size", 0, "its batch_size is 0, and no whole number from 1"),
        ("device", "", "its device is '', and no text"),
    ],
)
def test_a_damaged_timing_is_named_and_left_out(
    store: Store, store_url: str, column: str, value: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.add_timing("small", timed(8))
    store.add_timing("small", timed(64))
    with database(store_url) as connection:
        connection.execute(text(f"UPDATE timing SET {column} = :value WHERE batch_size = 64"), {"value": value})

    found = read(store_url)

    assert found.timings == (timed(8),)
    (damaged,) = found.damaged
    assert re.match(f"a time of a step of small cannot be read: .*{reason}", damaged)
    assert f"{damaged}; it is left out" in caplog.text
    assert store.record("small").timings == (timed(8),)  # no search depends on it

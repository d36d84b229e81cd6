"""What is read of a store without Optuna is what the store says."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contracts.stored import achieved, plan, small
from tuner.errors import StoreError
from tuner.records import Role, Wanted
from tuner.stores import Records, Store
from tuner.stores.opening import open_records

READING = """
import sys
from tuner.stores.opening import open_records
open_records(sys.argv[1]).record("small")
assert not {"optuna", "alembic"} & set(sys.modules)
"""


@pytest.fixture
def records(store: Store, store_url: str) -> Iterator[Records]:
    """What the store of the small experiment holds."""
    with closing(open_records(store_url)) as reader:
        yield reader


def test_records_and_curves_are_those_of_the_store(store: Store, records: Records) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        claim.finish(claim.start(plan(0)), achieved(7), loss=1.0)
        claim.open_round(small().space.at(8))
        claim.finish(claim.start(plan(1)), achieved(5), loss=1.0)
        claim.start(plan(2))
        found = records.record("small")

    ended = found.studies[1].finished(Role.SEARCH)[-1]
    assert ended.end is not None
    assert ended.end.steps == 5
    assert records.record("small") == store.record("small")
    assert records.curves("small", 64, round=2) == {0: achieved(5).curve}
    assert records.url == store.url


def test_a_part_of_the_curves_is_read_apart(store: Store, records: Records) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        claim.finish(claim.start(plan(0)), achieved(7), loss=1.0)
        claim.finish(claim.start(plan(1, repeat=1, role=Role.REPORT)), achieved(5), loss=1.0)
    metrics = achieved(5).curve[-1].metrics
    kept = sorted(metrics)[0]

    reported = records.curves("small", 64, wanted=Wanted(roles=frozenset({Role.REPORT})))
    of_one_metric = records.curves("small", 64, wanted=Wanted(metrics=frozenset({kept})))

    assert reported == {1: achieved(5).curve}
    assert set(of_one_metric) == {0, 1}
    assert [each.metrics for each in of_one_metric[1]] == [
        {kept: each.metrics[kept]} for each in achieved(5).curve if kept in each.metrics
    ]
    assert records.curves("small", 64, wanted=Wanted(metrics=frozenset({"no/metric"}))) == {}


def test_what_is_not_there_is_said(records: Records) -> None:
    with pytest.raises(StoreError, match=r"there is no experiment digits in .*; stored: small$"):
        records.record("digits")
    with pytest.raises(StoreError, match=r"small has no study of batch size 2; it has 8, 64"):
        records.curves("small", 2)


def test_optuna_is_not_needed_to_read(store: Store, store_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READING, store_url], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr

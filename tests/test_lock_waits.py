"""Workers of different studies do not hold each other up in PostgreSQL."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.lock_waits import LockWaits
from tests.toy import SMALL
from tests.working import work_through
from tuner.experiment import parse
from tuner.stores.opening import open_store

pytestmark = pytest.mark.slow

WORKERS = 8


def test_eight_workers_of_eight_studies_of_lanes_never_wait_for_a_lock(postgres_url: str) -> None:
    sizes = tuple(range(8, 8 + WORKERS))
    experiment = dataclasses.replace(parse(SMALL, source="toy.toml"), batch_sizes=sizes)
    waits = LockWaits(postgres_url)
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store(postgres_url))) for _ in range(WORKERS)]
        stores[0].submit(experiment)
        with waits.watching(), ThreadPoolExecutor(WORKERS) as workers:
            list(workers.map(work_through, stores))
        assert all(each.complete for each in stores[0].record("toy").studies)

    assert waits.samples > 0
    assert waits.queries == set()

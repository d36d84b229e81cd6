"""Each test of this folder that asks for a store is run over every kind of store."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contracts.stored import small
from tuner.stores import Store
from tuner.stores.opening import open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store could be, and none is yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs/tuner.db"
    url = request.getfixturevalue("postgres_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store of the small experiment."""
    with closing(open_store(store_url)) as opened:
        opened.submit(small())
        yield opened

"""Each store has an identity of its own, which it keeps."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.contracts.stored import TO_VERSION_1, database, small
from tuner.stores import Store
from tuner.stores.opening import open_records, open_store


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Store]:
    """A store of the same experiment somewhere else."""
    with closing(open_store(f"sqlite:///{tmp_path}/another.db")) as opened:
        opened.submit(small())
        yield opened


def identity(url: str) -> str:
    """As whoever reads the store is told."""
    with closing(open_records(url)) as records:
        return records.identity()


def test_two_stores_are_told_apart_though_they_hold_the_same(store: Store, another: Store) -> None:
    assert len(store.identity()) == len(another.identity()) == 32
    assert store.identity() != another.identity()


def test_a_store_keeps_its_identity_when_it_is_opened_again(store: Store, store_url: str) -> None:
    before = store.identity()
    store.close()
    with closing(open_store(store_url)) as again:
        assert again.identity() == before
    assert identity(store_url) == before


@pytest.mark.parametrize("steps", [("ALTER TABLE tuner_schema DROP COLUMN identity", "7"), (TO_VERSION_1, "1")])
def test_a_store_of_an_earlier_version_gets_an_identity_once(
    store: Store, store_url: str, steps: tuple[str | tuple[str, ...], str]
) -> None:
    store.close()
    back, version = steps
    with database(store_url) as connection:
        for each in (back,) if isinstance(back, str) else back:
            connection.execute(text(each))
        connection.execute(text(f"UPDATE tuner_schema SET version = {version}"))

    first = identity(store_url)

    assert len(first) == 32
    assert identity(store_url) == first


def test_a_copy_of_the_file_is_the_same_store(tmp_path: Path, another: Store) -> None:
    another.close()
    shutil.copy(tmp_path / "another.db", tmp_path / "copy.db")

    assert identity(f"sqlite:///{tmp_path}/copy.db") == identity(f"sqlite:///{tmp_path}/another.db")

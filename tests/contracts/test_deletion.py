"""What deleting an experiment leaves behind: nothing of it, and everything of the others."""

from collections import Counter

import pytest
from sqlalchemy import MetaData, func, select

from tests.contracts.stored import achieved, claimed, database, plan, small
from tuner.errors import StoreError
from tuner.records import Role
from tuner.stores import Store


def rows(store_url: str) -> Counter[str]:
    """How many rows each table of the store has."""
    tables = MetaData()
    with database(store_url) as connection:
        tables.reflect(connection)
        return Counter(
            {each.name: connection.scalar(select(func.count()).select_from(each)) or 0 for each in tables.sorted_tables}
        )


def search(store: Store, name: str = "small") -> None:
    """Leave trials that finished and that failed, in two rounds of a study."""
    with store.claim(name, 8) as claim:
        assert claim is not None
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
        claim.fail(claim.start(plan(1)), reason="interrupted")
        claim.open_round(small().space.at(8))
        claim.finish(claim.start(plan(2, role=Role.SEARCH)), achieved(), loss=2.0)


def test_nothing_of_it_is_left_and_the_others_stay(store: Store, store_url: str) -> None:
    store.submit(small(name="other"))
    search(store, "other")
    before, kept = rows(store_url), store.record("other")
    store.submit(small(name="third"))
    search(store, "third")
    assert rows(store_url) - before

    store.delete("third")

    assert rows(store_url) == before
    assert store.record("other") == kept
    assert list(store.names()) == ["small", "other"]


def test_its_name_is_free_again(store: Store) -> None:
    search(store)

    store.delete("small")
    store.submit(small(seed=7))

    assert store.record("small").experiment.seed == 7
    assert all(each.trials == () and each.round == 1 for each in store.record("small").studies)


def test_it_is_refused_while_a_worker_has_a_study(store: Store, store_url: str) -> None:
    search(store)
    before = rows(store_url)

    with claimed(store), pytest.raises(StoreError, match=r"small is being searched: .* tuner cancel small"):
        store.delete("small")

    assert rows(store_url) == before


def test_an_unknown_name_says_which_there_are(store: Store) -> None:
    with pytest.raises(StoreError, match="small"):
        store.delete("smell")

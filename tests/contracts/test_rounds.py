"""What every store must do with rounds: keep each with its space, count claims over all, and read older stores."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import optuna
import pytest
from sqlalchemy import create_engine, text

from tests.contracts.stored import TO_VERSION_1, achieved, plan, small
from tuner.errors import StoreError
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.records import Stage, TrialState
from tuner.stores import Claim, Store
from tuner.stores.opening import open_progress, open_store
from tuner.stores.urls import parse

WIDER = SearchSpace({**small().space.at(8).parameters, "learning_rate": Range(1e-3, 100.0, scale=Scale.LOG)})
"""The small experiment's space with a side further out."""


@contextmanager
def claimed(store: Store) -> Iterator[Claim]:
    """A claim that is there for the taking."""
    with store.claim("small", 64) as claim:
        assert claim is not None
        yield claim


def change(store_url: str, *statements: str, **values: str) -> None:
    """Change the database behind the store's back."""
    engine = create_engine(parse(store_url))
    with engine.begin() as connection:
        for each in statements:
            connection.execute(text(each), values)
    engine.dispose()


def test_a_stage_is_kept_and_says_what_the_other_studies_wait_for(store: Store) -> None:
    with claimed(store) as claim:
        claim.reach(Stage.CHOOSE)
        assert claim.record().stage is Stage.CHOOSE

    assert [each.stage for each in store.record("small").studies] == [Stage.SEARCH, Stage.CHOOSE]
    assert {each.batch_size: each.waits_for for each in store.open_studies()} == {8: (), 64: (8,)}

    with store.claim("small", 8) as other:
        assert other is not None
        other.set_aside(error="it is broken")
    assert {each.batch_size: each.waits_for for each in store.open_studies()} == {64: ()}


def test_a_second_look_is_a_round_in_the_same_space_after_the_first_look(store: Store) -> None:
    with claimed(store) as claim:
        first = claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
        claim.reach(Stage.CONFIRMED)
        claim.open_round(small().space.at(8), second_look=True)
        again = claim.finish(claim.start(plan(1)), achieved(4), loss=2.0)
        claim.complete()

    found = store.record("small").studies[1]
    assert (found.round, found.stage, found.is_second_look) == (2, Stage.SECOND_LOOK, True)
    assert found.first_look.trials == (first,)
    assert (found.first_look.stage, found.first_look.round) == (Stage.CONFIRMED, 1)
    assert found.trials == (again,)
    assert [each.is_second_look for each in found.rounds] == [False, True]


def test_a_round_goes_on_in_its_own_space_with_the_rounds_before_it(store: Store) -> None:
    with claimed(store) as claim:
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
        claim.open_round(WIDER)
        number = claim.start(plan(1))
        stored = claim.finish(number, achieved(4), loss=2.0)
        held = claim.record()

    found = store.record("small").studies[1]
    assert replace(held, holder=None) == found
    assert (found.round, found.space, found.complete) == (2, WIDER, False)
    assert (number, stored.round) == (0, 2)
    assert found.trials == (stored,)
    (first,) = found.earlier
    assert (first.round, first.space, first.complete, first.earlier) == (1, small().space.at(8), True, ())
    assert [(each.round, each.number, each.plan.point) for each in found.all_trials(stored.plan.role)] == [
        (1, 0, 0),
        (2, 0, 1),
    ]
    assert store.record("small").studies[0].earlier == ()


def test_each_round_has_its_curves(store: Store) -> None:
    with claimed(store) as claim:
        claim.finish(claim.start(plan(0)), achieved(2), loss=1.0)
        claim.open_round(WIDER)
        claim.finish(claim.start(plan(1)), achieved(3), loss=1.0)

    assert store.curves("small", 64) == {0: achieved(2).curve}
    assert store.curves("small", 64, round=2) == {0: achieved(3).curve}
    with pytest.raises(StoreError, match="batch size 64 of small has no round 3; it has 2, from 1"):
        store.curves("small", 64, round=3)


def test_a_round_is_a_study_of_optunas_with_the_wider_space(store: Store) -> None:
    with claimed(store) as claim:
        claim.open_round(WIDER)
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)

    study = optuna.load_study(study_name="small/batch_size=64/round=2", storage=store.optuna_url)
    assert study.user_attrs == {"experiment": "small", "batch_size": 64, "round": 2}
    assert study.trials[0].distributions["learning_rate"].high == 100.0  # type: ignore[attr-defined]


def test_whoever_claims_next_is_in_the_last_round(store: Store) -> None:
    with claimed(store) as claim:
        claim.open_round(WIDER)
        claim.start(plan(0))

    with claimed(store) as claim:
        record = claim.record()
        claim.complete()

    assert (record.round, [each.state for each in record.trials]) == (2, [TrialState.FAILED])
    assert store.record("small").studies[1].complete


def test_an_owner_who_died_while_opening_a_round_leaves_nothing_but_an_empty_study(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(space: SearchSpace) -> dict[str, object]:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed, claimed(store) as claim:
        changed.setattr("tuner.stores.relational.claims.space_table", die)
        with pytest.raises(KeyboardInterrupt):
            claim.open_round(WIDER)
    assert "small/batch_size=64/round=2" in optuna.get_all_study_names(store.optuna_url)
    assert (store.record("small").studies[1].round, store.record("small").studies[1].complete) == (1, False)

    with claimed(store) as claim:
        claim.open_round(WIDER)
        claim.start(plan(0))
    assert store.record("small").studies[1].round == 2


def test_a_claim_that_was_lost_opens_no_round_and_writes_to_none(store: Store, store_url: str) -> None:
    with claimed(store) as claim:
        claim.open_round(WIDER)
        change(store_url, "UPDATE study SET epoch = epoch + 1 WHERE round = 1")

        with pytest.raises(StoreError, match="the claim of small/batch_size=64/round=2 is lost: another worker"):
            claim.open_round(WIDER)
        with pytest.raises(StoreError, match="is lost: another worker has taken it since"):
            claim.start(plan(0))
        change(store_url, "UPDATE study SET epoch = epoch - 1 WHERE round = 1")
    assert store.record("small").studies[1].round == 2


@pytest.fixture
def version_1(store: Store, store_url: str) -> str:
    """A store as version 1 left it: no spaces of rounds, settings without those of rounds, a trial in each study."""
    with claimed(store) as claim:
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
    store.close()
    settings = small().to_table()
    settings["search"] = {"sampler": {"kind": "random"}, "points": 5, "width": 8, "ask_ahead": 4, "slack": 2.0}
    change(
        store_url,
        *TO_VERSION_1,
        "UPDATE experiment SET settings = :settings",
        settings=json.dumps(settings),
    )
    return store_url


def test_a_store_of_version_1_is_upgraded_when_it_is_opened(version_1: str) -> None:
    with closing(open_store(version_1)) as store:
        before = store.record("small")
        store.submit(small())
        with claimed(store) as claim:
            claim.open_round(WIDER)
    with closing(open_store(version_1)) as store:
        after = store.record("small")

    assert before.experiment == small()
    assert [(each.round, each.space, len(each.trials)) for each in before.studies] == [
        (1, small().space.at(8), 0),
        (1, small().space.at(8), 1),
    ]
    with closing(open_progress(version_1)) as progress:
        (counted,) = progress.read()
    assert after.studies[1].space == WIDER
    assert after.studies[1].earlier == (replace(before.studies[1], complete=True),)
    assert [each.searched for each in counted.studies] == [0, 1]


def test_a_store_is_upgraded_when_its_progress_is_read(version_1: str) -> None:
    with closing(open_progress(version_1)) as progress:
        (counted,) = progress.read()

    assert [each.searched for each in counted.studies] == [0, 1]


def test_an_upgrade_that_is_cut_short_changes_nothing(version_1: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(
            "tuner.stores.relational.upgrades.UPGRADES", {1: ("ALTER TABLE study ADD COLUMN space NONSENSE(",)}
        )
        with pytest.raises(StoreError, match="cannot be opened"):
            open_store(version_1)

    with closing(open_store(version_1)) as store:
        assert len(store.record("small").studies[1].trials) == 1

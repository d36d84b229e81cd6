"""Experiments grow: a file whose changes only add work goes on with what is there."""

import dataclasses
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from tests.toy import SMALL, Toy
from tests.working import work_through
from tuner.analysis.optimum.confirmation import confirm
from tuner.analysis.summary import results
from tuner.errors import ClaimLost, StoreError
from tuner.experiment import Experiment, parse
from tuner.experiment.growth import differences, grown
from tuner.recorders import Event, TrialFinished
from tuner.records import Role, StudyRecord
from tuner.stores import Store
from tuner.stores.opening import open_store

BASE = parse(SMALL.replace('"random"', '"quasi_random"'), source="toy.toml")


@pytest.fixture
def store(store_url: str) -> Any:
    """An empty store."""
    with closing(open_store(store_url)) as opened:
        yield opened


def with_settings(base: Experiment = BASE, **changes: Mapping[str, object]) -> Experiment:
    """An experiment with some settings of its tables changed."""
    tables = {name: dataclasses.replace(getattr(base, name), **values) for name, values in changes.items()}
    return dataclasses.replace(base, **tables)


def work(store: Store, experiment: Experiment, objective: Toy | None = None) -> list[TrialFinished]:
    """The trials that a worker finishes after an experiment is submitted."""
    events: list[Event] = []
    store.submit(experiment)
    work_through(store, emit=events.append, build=lambda _: objective or Toy())
    return [each for each in events if isinstance(each, TrialFinished)]


def studies(store: Store, name: str = "toy") -> dict[int, StudyRecord]:
    return {each.batch_size: each for each in store.record(name).studies}


def searched(store: Store, name: str = "toy") -> dict[int, list[tuple[int, int, object]]]:
    """Of each study the points that its search ran: number, seed and hyperparameters."""
    return {
        size: sorted(
            (each.plan.point, each.plan.seed, dict(each.plan.hyperparameters)) for each in study.finished(Role.SEARCH)
        )
        for size, study in studies(store, name).items()
    }


def runs(store: Store) -> list[tuple[int, int, int, int]]:
    """Every finished trial by batch size, round, point and repeat."""
    return sorted(
        (size, each.round, each.plan.point, each.plan.repeat)
        for size, study in studies(store).items()
        for each in study.finished(*Role)
    )


def test_more_points_are_the_points_of_a_search_that_had_them_at_once(store: Store) -> None:
    few = with_settings(search={"points": 6})
    many = with_settings(search={"points": 12})
    first = work(store, few)
    assert all(each.complete for each in studies(store).values())

    more = work(store, many)

    work(store, dataclasses.replace(many, name="at-once"))
    assert searched(store) == searched(store, "at-once")
    assert len(first) > 0
    assert sum(each.trial.plan.role is Role.SEARCH for each in more) == 2 * 6
    assert all(each.complete for each in studies(store).values())


@pytest.mark.parametrize("sampler", ["quasi_random", "tpe", "gp"])
def test_no_finished_trial_is_run_again(store: Store, sampler: str) -> None:
    base = with_settings(search={"sampler": {"kind": sampler}})
    work(store, base)

    added = {"candidates": 4, "choose_seeds": 4, "report_seeds": 5}
    more = work(store, with_settings(base, search={"points": 16}, confirmation=added))

    assert more
    assert len(set(runs(store))) == len(runs(store))
    for study in studies(store).values():
        assert study.complete
        confirmed = confirm(study, store.record("toy").experiment.confirmation)
        assert confirmed is not None
        assert confirmed.seeds == 5


def test_more_reporting_seeds_run_only_these(store: Store) -> None:
    work(store, BASE)

    more = work(store, with_settings(confirmation={"report_seeds": 7}))

    assert [each.trial.plan.role for each in more] == [Role.REPORT] * 2 * 4


def test_a_batch_size_is_added(store: Store) -> None:
    work(store, BASE)

    more = work(store, dataclasses.replace(BASE, batch_sizes=(8, 16, 32)))

    assert {each.batch_size for each in more} == {32}
    assert [each.batch_size for each in store.record("toy").studies] == [8, 16, 32]
    assert all(each.complete for each in studies(store).values())


def test_a_new_neighbour_is_asked_for_its_points(store: Store) -> None:
    base = dataclasses.replace(with_settings(confirmation={"neighbours": True}), batch_sizes=(8, 32))
    work(store, base)

    work(store, dataclasses.replace(base, batch_sizes=(8, 16, 32)))

    origins = {each.plan.origin.batch_size for each in studies(store)[16].finished(Role.CHOOSE) if each.plan.origin}
    assert origins <= {8, 32}
    by_point: dict[tuple[int, int], set[str]] = {}
    for size, study in studies(store).items():
        for each in study.finished(*Role):
            by_point.setdefault((size, each.plan.point), set()).add(str(dict(each.plan.hyperparameters)))
    assert {len(each) for each in by_point.values()} == {1}
    assert all(each.complete for each in studies(store).values())


def test_a_larger_budget_searches_again_where_nothing_had_reached_the_target(store: Store) -> None:
    small = dataclasses.replace(BASE, goal=dataclasses.replace(BASE.goal, within_steps=20))
    small = with_settings(small, search={"round_points": 5})
    work(store, small)
    assert all(each.incumbent is None for each in studies(store).values())

    more = work(store, dataclasses.replace(small, goal=BASE.goal))

    assert all(each.incumbent is not None and each.round == 2 and each.complete for each in studies(store).values())
    assert sum(each.trial.plan.role is Role.SEARCH for each in more) == 2 * 5
    assert {each.trial.end.limit for each in more if each.trial.end} > {400}


def test_the_digest_stays_and_the_history_is_kept(store: Store) -> None:
    store.submit(BASE)

    added = store.submit(dataclasses.replace(with_settings(search={"points": 20}), batch_sizes=(32, 8, 16)))

    record = store.record("toy")
    assert list(added) == ["batch_sizes + 32", "search.points 12 -> 20"]
    assert record.experiment.digest == BASE.digest
    assert record.experiment.search.points == 20
    assert [each.added for each in record.growth] == [tuple(added)]
    assert results(record).to_json()["growth"] == [each.to_json() for each in record.growth]
    ordered = dataclasses.replace(BASE, batch_sizes=(8, 16, 32))
    assert list(store.submit(with_settings(ordered, search={"points": 20}))) == []
    assert len(store.record("toy").growth) == 1


def test_a_worker_that_has_the_study_lets_go_of_it(store: Store) -> None:
    store.submit(BASE)
    with store.claim("toy", 8) as claim:
        assert claim is not None
        store.submit(with_settings(search={"points": 20}))
        with pytest.raises(ClaimLost):
            claim.complete()

    work(store, with_settings(search={"points": 20}))
    assert len(studies(store)[8].finished(Role.SEARCH)) == 20


def test_a_second_look_is_kept_and_given_more(store: Store) -> None:
    sizes = (8, 16, 32, 64)
    base = with_settings(confirmation={"neighbours": True}, search={"second_look_points": 4})
    base = dataclasses.replace(base, batch_sizes=sizes)
    slow = Toy(slow_at_batch_size=32)
    work(store, base, slow)
    looked = [size for size, each in studies(store).items() if each.is_second_look]
    assert looked

    more = work(store, with_settings(base, search={"points": 15}), slow)

    again = [each for each in more if each.batch_size in looked and each.trial.plan.role is Role.SEARCH]
    assert len(again) == 3 * len(looked)
    assert all(each.complete for each in studies(store).values())
    assert len(set(runs(store))) == len(runs(store))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (with_settings(search={"points": 11}), "search.points = 12, now 11"),
        (dataclasses.replace(BASE, seed=4), "seed = 3, now 4"),
        (dataclasses.replace(BASE, batch_sizes=(8, 32)), "batch_sizes = [8, 16], now [8, 32]"),
        (with_settings(goal={"within_steps": 300}), "goal.within_steps = 400, now 300"),
        (with_settings(goal={"below": 0.05}), "goal.below = 0.03, now 0.05"),
        (with_settings(search={"slack": 4.0}), "search.slack = 2.0, now 4.0"),
        (
            dataclasses.replace(BASE, objective={"kind": "tests.toy:Toy", "pause": 0.1}),
            "objective.pause = absent, now 0.1",
        ),
    ],
)
def test_what_would_mix_results_is_refused_and_named(store: Store, changed: Experiment, named: str) -> None:
    store.submit(BASE)

    with pytest.raises(StoreError) as caught:
        store.submit(with_settings(changed, confirmation={"report_seeds": 9}))

    assert f"stored already ({named}); give this one another name" in str(caught.value)
    assert store.record("toy").experiment == BASE


def test_a_budget_for_each_batch_size_grows_with_them() -> None:
    stored = with_settings(goal={"within_steps": {8: 400, 16: 200}})
    goal = dataclasses.replace(BASE.goal, within_steps={8: 400, 16: 300, 32: 100})
    given = dataclasses.replace(BASE, goal=goal, batch_sizes=(8, 16, 32))

    found = differences(stored, given)

    assert [each.addition for each in found] == [
        "batch_sizes + 32",
        "goal.within_steps.16 200 -> 300",
        "goal.within_steps.32 absent -> 100",
    ]
    assert all(each.adds for each in found)
    assert grown(stored, given).goal == given.goal
    assert [each.adds for each in differences(BASE, stored)] == [False]

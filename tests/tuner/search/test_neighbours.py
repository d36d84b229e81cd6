"""Studies of one experiment together: what one takes over from its neighbours, waits for, and looks at again."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.toy import TOY, Toy
from tests.working import work_through
from tuner.analysis.summary import edges, results
from tuner.experiment import Experiment, parse
from tuner.recorders import Event, StudyFinished, StudyWaits
from tuner.records import ExperimentState, Role, Stage, StudyRecord
from tuner.search.protocol import CHOICE_SLACK
from tuner.stores import OpenStudy, Store
from tuner.stores.opening import open_store
from tuner.stores.relational.store import RelationalStore
from tuner.trial import Outcome

SEARCH = "points = 3\nsecond_look_points = 8\nmax_rounds = 1"
FEW = parse(TOY.replace("[8, 16]", "[8, 16, 32, 64]").replace("points = 12", SEARCH), source="toy.toml")
"""So few random points that searches miss the optimum."""
SLOW = Toy(slow_at_batch_size=32)
"""The optimum takes as many steps at every batch size, but three times as many at one."""


def finished(
    folder: Path,
    experiment: Experiment,
    *,
    order: Callable[[Sequence[OpenStudy]], Sequence[OpenStudy]] = lambda found: found,
    emit: Callable[[Event], None] = lambda event: None,
    objective: Toy = SLOW,
) -> tuple[StudyRecord, ...]:
    """The studies after a worker has done all it can, which takes open studies in some order."""
    folder.mkdir(exist_ok=True)

    class Ordered(RelationalStore):
        def open_studies(self) -> Sequence[OpenStudy]:
            return order(super().open_studies())

    with closing(open_store(f"sqlite:///{folder / 'toy.db'}")) as store:
        store.submit(experiment)
        store.__class__ = Ordered  # the same store, whose studies a worker sees in another order
        work_through(store, emit=emit, build=lambda _: objective)
        return store.record(experiment.name).studies


def trials(studies: Sequence[StudyRecord]) -> list[tuple[object, ...]]:
    return [
        (study.batch_size, study.round, each.number, each.plan, each.end)
        for whole in studies
        for study in whole.rounds
        for each in study.trials
    ]


@pytest.mark.parametrize(
    "order", [lambda found: found[::-1], lambda found: sorted(found, key=lambda each: each.batch_size % 3)]
)
def test_results_do_not_depend_on_the_order_in_which_studies_are_searched(
    tmp_path: Path, order: Callable[[Sequence[OpenStudy]], Sequence[OpenStudy]]
) -> None:
    one = finished(tmp_path / "one", FEW)
    other = finished(tmp_path / "other", FEW, order=order)

    assert any(each.is_second_look for each in one)
    assert repr(trials(one)) == repr(trials(other))


def test_every_study_chooses_among_its_own_points_and_its_neighbours(tmp_path: Path) -> None:
    studies = finished(tmp_path, FEW)

    for study in studies:
        origins = {each.plan.origin.batch_size for each in study.first_look.finished(Role.CHOOSE) if each.plan.origin}
        assert origins <= {study.batch_size // 2, study.batch_size * 2}
    assert any(each.plan.origin for study in studies for each in study.first_look.finished(Role.CHOOSE))


def test_a_run_of_the_first_heat_is_cut_when_half_of_the_others_have_been_faster(tmp_path: Path) -> None:
    many = replace(FEW, search=replace(FEW.search, points=12), confirmation=replace(FEW.confirmation, candidates=12))
    (study, *_) = finished(tmp_path, many)

    heat = [each.end for each in study.finished(Role.CHOOSE) if each.plan.repeat == 1 and each.end is not None]
    steps = sorted(each.steps for each in heat if each.outcome is Outcome.ACHIEVED)
    cut = [each for each in heat if each.outcome is Outcome.CENSORED]
    kept = (len(heat) + 1) // 2
    assert cut
    assert len(steps) >= kept
    assert steps[0] < min(each.limit for each in cut) < CHOICE_SLACK * steps[0]
    assert min(each.limit for each in cut) in steps[kept - 1 :]


def test_without_neighbours_every_study_is_by_itself(tmp_path: Path) -> None:
    alone = replace(FEW, confirmation=replace(FEW.confirmation, neighbours=False))

    studies = finished(tmp_path, alone)

    assert all(study.complete and study.stage is Stage.SEARCH and study.round == 1 for study in studies)
    assert not any(each.plan.origin for study in studies for each in study.finished(*Role))


def test_a_study_that_does_not_fit_is_looked_at_again_from_its_neighbours_points(tmp_path: Path) -> None:
    studies = finished(tmp_path, FEW)

    (study,) = (each for each in studies if each.is_second_look)
    assert study.batch_size == 32
    searched = study.rounds[-1].finished(Role.SEARCH)
    assert len(searched) == 8
    assert {each.plan.origin.batch_size for each in searched if each.plan.origin} == {16, 64}
    assert study.incumbent is not None
    assert len(study.rounds[-1].finished(Role.REPORT)) == FEW.confirmation.report_seeds
    seeds = [each.plan.seed for each in study.finished(*Role)]
    assert len(set(seeds)) == len(seeds)


def test_a_second_look_is_not_taken_if_it_has_no_points(tmp_path: Path) -> None:
    studies = finished(tmp_path, replace(FEW, search=replace(FEW.search, second_look_points=0)))

    assert all(study.complete and study.round == 1 for study in studies)


def test_what_is_still_suspicious_is_in_the_results_and_in_the_edges(tmp_path: Path) -> None:
    finished(tmp_path, FEW)

    with closing(open_store(f"sqlite:///{tmp_path / 'toy.db'}")) as store:
        record = store.record("toy")
    found = results(record)

    assert edges(record).is_suspicious
    assert edges(record).doubts == found.doubts
    assert [each.batch_size for each in found.doubts] == [32]
    assert found.studies[2].to_json()["doubt"] == found.doubts[0].to_json()


def test_one_that_waits_is_handed_back_and_says_for_what(tmp_path: Path) -> None:
    events: list[Event] = []

    finished(tmp_path, FEW, emit=events.append)

    waits = [each for each in events if isinstance(each, StudyWaits)]
    waited = [(each.study.batch_size, each.study.stage, each.waits_for) for each in waits]
    assert waited[0] == (64, Stage.CHOOSE, (32,))
    assert (32, Stage.CHOOSE, (16,)) in waited
    assert sum(isinstance(each, StudyFinished) for each in events) == 4


@pytest.mark.parametrize("broken", [8, 16, 64])
def test_a_neighbour_that_breaks_is_not_waited_for(tmp_path: Path, broken: int) -> None:
    studies = finished(tmp_path, FEW, objective=Toy(breaks_at_batch_size=broken))

    assert [each.batch_size for each in studies if not each.complete] == [broken]
    assert [bool(each.error) for each in studies] == [each.batch_size == broken for each in studies]


def test_a_study_alone_has_no_neighbours_to_wait_for(tmp_path: Path) -> None:
    (study,) = finished(tmp_path, replace(FEW, batch_sizes=(8,)))

    assert study.complete


def test_a_cancelled_experiment_is_let_go_of_while_studies_wait(tmp_path: Path) -> None:
    stores: list[Store] = []

    def cancel(event: Event) -> None:
        if isinstance(event, StudyWaits):
            stores[0].set_state("toy", ExperimentState.CANCELLED)

    with closing(open_store(f"sqlite:///{tmp_path / 'toy.db'}")) as store:
        stores.append(store)
        store.submit(FEW)
        work_through(store, emit=cancel, build=lambda _: Toy())

        assert not any(each.complete for each in store.record("toy").studies)

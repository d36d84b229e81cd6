"""A study whose optimum is outside its space goes on in a wider one, the same every time."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.toy import steps_to
from tests.tuner.narrow import EXCLUDED, limited, searched, work
from tests.working import work_through
from tuner.analysis.edges.verdicts import Verdict, check
from tuner.analysis.edges.widening import history, wider_space
from tuner.analysis.optimum.race import choosing_runs
from tuner.analysis.summary import results
from tuner.experiment import Experiment
from tuner.experiment.space import Range
from tuner.recorders import Event, StudyStarted, TrialFinished
from tuner.records import Role, StudyRecord
from tuner.reports.content import content
from tuner.reports.findings import findings
from tuner.stores import Store
from tuner.stores.opening import open_store
from tuner.stores.relational.claims import StudyClaim

BEST = steps_to(0.03, 0.1)
"""The toy's fewest steps, at learning rate 0.1."""


def test_a_space_that_excludes_the_optimum_is_widened_until_it_is_inside(store: Store) -> None:
    work(store, EXCLUDED)

    study = searched(store)
    assert study.complete
    assert study.space.parameters["learning_rate"] == replace(_range(EXCLUDED), high=_range(study).high)
    assert _range(study).high >= 0.1
    assert study.incumbent is not None
    assert study.incumbent <= 1.02 * BEST
    assert {each.verdict for each in check(study)} <= {Verdict.INSIDE, Verdict.STABILITY_LIMIT}


def _range(owner: Experiment | StudyRecord) -> Range:
    limits = owner.space.parameters["learning_rate"]
    assert isinstance(limits, Range)
    return limits


def test_a_space_that_contains_the_optimum_has_one_round(store: Store) -> None:
    work(store, limited("1e-3", "10"))

    assert searched(store).round == 1


def test_no_round_is_opened_beyond_the_last(store: Store) -> None:
    work(store, limited("1e-4", "1e-2", more="max_rounds = 1"))

    study = searched(store)
    assert (study.round, study.complete) == (1, True)
    assert check(study)[0].verdict is Verdict.BOX_EDGE


def test_points_are_numbered_on_and_the_first_half_of_a_round_covers_what_was_added(store: Store) -> None:
    work(store, EXCLUDED)

    first, second, *_ = searched(store).rounds
    points = [each.plan.point for each in first.finished(Role.SEARCH)]
    later = {each.plan.point: each.plan.hyperparameters for each in second.finished(Role.SEARCH)}
    assert sorted(points) == list(range(40))
    assert sorted(later) == list(range(40, 50))
    assert all(later[point] in second.space and later[point] not in first.space for point in range(40, 45))


def test_each_search_is_followed_by_probes_beyond_its_space_which_the_next_round_is_told_of(store: Store) -> None:
    work(store, EXCLUDED)

    study = searched(store)
    first = study.rounds[0]
    probes = first.finished(Role.PROBE)
    assert [each.plan.point for each in probes] == [-1, -2, -3, -4]
    assert not any(each.plan.hyperparameters in first.space for each in probes)
    assert min(each.started for each in probes) >= max(each.started for each in first.finished(Role.SEARCH))
    assert all(each in study.finished(Role.SEARCH) for each in probes)
    assert history(study, store.record("toy").experiment.goal.unit)[0].probes == 4


def test_confirmation_runs_once_at_the_end(store: Store) -> None:
    work(store, EXCLUDED)

    *earlier, last = searched(store).rounds
    confirming = (Role.CHOOSE, Role.REPORT)
    assert [len(each.all_trials(*confirming)) for each in earlier] == [0] * len(earlier)
    assert len(last.finished(*confirming)) == choosing_runs(2, 2) + 3


def test_nothing_is_widened_once_confirmation_has_begun(store: Store) -> None:
    work(store, limited("1e-4", "1e-2", more="max_rounds = 1"))

    study = searched(store)
    alone = replace(study, trials=study.all_trials(Role.SEARCH))
    assert wider_space(alone, max_rounds=2) is not None
    assert wider_space(study, max_rounds=2) is None


def test_no_seed_is_used_twice(store: Store) -> None:
    work(store, EXCLUDED)

    seeds = [each.plan.seed for each in searched(store).all_trials(*Role)]
    assert len(seeds) > 30
    assert len(set(seeds)) == len(seeds)


def trials(store: Store) -> list[object]:
    return [(each.round, each.number, each.plan, each.end) for each in searched(store).all_trials(*Role)]


def test_rounds_are_the_same_every_time(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        with closing(open_store(f"sqlite:///{tmp_path / name}.db")) as store:
            work(store, EXCLUDED)
            found.append(trials(store))

    assert found[0] == found[1]


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_worker_that_dies_between_rounds_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    class Died(BaseException):
        pass

    def open_and_die(claim: object, space: object) -> None:
        if dies == "after":
            opened(claim, space)
        raise Died

    opened: Callable[[object, object], None] = StudyClaim.open_round  # type: ignore[assignment]
    with monkeypatch.context() as changed:
        changed.setattr(StudyClaim, "open_round", open_and_die)
        with pytest.raises(Died):
            work(store, EXCLUDED)
    work(store, EXCLUDED)

    with closing(open_store(f"sqlite:///{tmp_path / 'whole'}.db")) as whole:
        work(whole, EXCLUDED)
        assert trials(store) == trials(whole)


def test_a_search_stopped_within_a_later_round_goes_on_in_it(store: Store) -> None:
    in_round: list[int] = []
    experiment = EXCLUDED
    store.submit(experiment)

    def emit(event: Event) -> None:
        if isinstance(event, TrialFinished):
            in_round.append(event.round)

    work_through(store, emit=emit, stopping=lambda: in_round.count(2) >= 3)
    before = searched(store)
    work(store, experiment)

    after = searched(store)
    assert (before.round, before.complete) == (2, False)
    assert after.complete
    points = sorted(each.plan.point for each in after.finished(Role.SEARCH) if each.plan.role is Role.SEARCH)
    assert points == list(range(experiment.search.points_by(after.round)))


def test_opening_a_round_is_told_with_the_rounds_before(store: Store) -> None:
    events = work(store, EXCLUDED)

    told = [each.study for each in events if isinstance(each, StudyStarted)]
    assert [each.round for each in told] == list(range(1, searched(store).round + 1))
    assert [len(each.earlier) for each in told] == list(range(searched(store).round))
    assert not any(each.trials for each in told)
    assert {each.round for each in events if isinstance(each, TrialFinished)} == {each.round for each in told}


def test_a_study_that_never_reached_its_target_says_what_was_tried(store: Store) -> None:
    experiment = limited("1e-4", "1e-3", more="max_rounds = 3")
    work(store, replace(experiment, goal=replace(experiment.goal, within_steps=BEST - 6)))

    study = searched(store)
    (found,) = results(store.record("toy")).studies
    assert found.best is None
    assert (study.round, len(history(study, store.record("toy").experiment.goal.unit))) == (3, 3)
    assert found.unreached is not None
    assert found.unreached.sentence.startswith(
        "None of 60 points in 3 rounds brought validation/error below 0.03 within 45 steps; the closest ended at 0.04"
    )
    assert found.unreached.sentence.endswith("Tried: learning_rate 0.0001 to 0.1.")
    cautions = content(findings(store.record("toy"))).cautions
    assert f"Batch size 8: {found.unreached.sentence}" in [each.sentence for each in cautions]
    assert found.to_json()["unreached"] == {
        "closest": found.unreached.closest,
        "sentence": found.unreached.sentence,
    }

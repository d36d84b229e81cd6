"""A worker sees studies through: searched, confirmed, resumed, and the same every time."""

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from tests.toy import TOY, Toy, ToyTrainer, steps_to
from tests.working import work_through
from tuner.analysis.optimum.race import choosing_runs
from tuner.experiment import ConfirmationSettings, Experiment, parse
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyBroken, StudyFinished, StudyStarted, TrialFinished
from tuner.records import Curve, Role, StudyRecord, TrialState
from tuner.stores import Store
from tuner.stores.opening import open_store
from tuner.trial import Measurement

EXPERIMENT = dataclasses.replace(
    parse(TOY.replace('"random"', '"tpe"'), source="toy.toml"),
    confirmation=ConfirmationSettings(candidates=2, choose_seeds=2, report_seeds=3, neighbours=False),
)
SEARCHED, CHOOSING, REPORTING = 12, choosing_runs(2, 2), 3


def work(
    store: Store,
    *,
    objective: Objective | None = None,
    experiment: Experiment = EXPERIMENT,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Event]:
    """What a worker says while it works on an experiment until it ends."""
    events: list[Event] = []
    store.submit(experiment)
    work_through(store, emit=events.append, stopping=stopping, build=lambda found: objective or found.build_objective())
    return events


def studies(store: Store) -> dict[int, StudyRecord]:
    """The toy's studies, by batch size."""
    return {each.batch_size: each for each in store.record("toy").studies}


def shown(values: Iterable[object]) -> list[str]:
    """Values that may hold NaN, as something that equals itself."""
    return [repr(each) for each in values]


def by_name(curve: Curve) -> list[object]:
    """A curve with the metrics of each measurement by name: a store keeps them in no order."""
    return [(each.step, sorted(each.metrics.items()), each.partial) for each in curve]


def after(events: int) -> Callable[[], bool]:
    """Says stop from the given call on."""
    calls = iter(range(1_000_000))
    return lambda: next(calls) >= events


def test_every_study_is_searched_confirmed_and_complete(store: Store) -> None:
    work(store)

    for study in studies(store).values():
        assert study.complete
        counts = [len(study.finished(role)) for role in (Role.SEARCH, Role.CHOOSE, Role.REPORT)]
        assert counts == [SEARCHED, CHOOSING, REPORTING]


def test_large_batches_go_first_and_every_event_is_told(store: Store) -> None:
    events = work(store)

    started = [each.study.batch_size for each in events if isinstance(each, StudyStarted)]
    assert started == [16, 8]
    assert [each.study.complete for each in events if isinstance(each, StudyFinished)] == [True, True]
    assert sum(isinstance(each, TrialFinished) for each in events) == 2 * (SEARCHED + CHOOSING + REPORTING)


def test_a_finished_trial_is_told_with_its_curve_as_stored(store: Store) -> None:
    events = work(store)

    told = {each.trial.number: each for each in events if isinstance(each, TrialFinished) and each.batch_size == 8}
    curves = store.curves("toy", 8).values()
    assert shown(by_name(told[each].curve) for each in sorted(told)) == shown(map(by_name, curves))
    assert shown(told[each].trial for each in sorted(told)) == shown(studies(store)[8].trials)


def test_every_trial_has_a_seed_of_its_own(store: Store) -> None:
    work(store)

    seeds = [each.plan.seed for study in studies(store).values() for each in study.trials]
    assert len(set(seeds)) == len(seeds)


def test_two_runs_of_a_file_are_the_same_trial_by_trial(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        with closing(open_store(f"sqlite:///{tmp_path / name}.db")) as store:
            work(store)
            found.append([(each.number, each.plan, each.end) for each in studies(store)[8].trials])

    assert shown(found[0]) == shown(found[1])


def test_confirmation_reports_what_the_toy_takes(store: Store) -> None:
    work(store)

    for trial in studies(store)[16].finished(Role.REPORT):
        assert trial.end is not None
        assert trial.end.steps == steps_to(0.03, float(trial.plan.hyperparameters["learning_rate"]))


@pytest.mark.parametrize("stop_after", [1, 40, 200, 900])
def test_an_interrupted_search_goes_on_and_repeats_nothing_finished(store: Store, stop_after: int) -> None:
    work(store, stopping=after(stop_after))
    before = [trial for study in studies(store).values() for trial in study.trials]

    work(store)

    for study in studies(store).values():
        finished = study.finished(Role.SEARCH, Role.CHOOSE, Role.REPORT)
        assert (
            len({(each.plan.point, each.plan.repeat) for each in finished})
            == len(finished)
            == SEARCHED + CHOOSING + REPORTING
        )
        assert TrialState.RUNNING not in {each.state for each in study.trials}
    kept = shown(trial for study in studies(store).values() for trial in study.trials)
    assert set(shown(each for each in before if each.state is TrialState.FINISHED)) <= set(kept)


def test_an_interrupted_point_is_trained_again_with_its_own_seed_and_values(store: Store) -> None:
    work(store, stopping=after(40))
    dropped = {each.plan.point: each.plan for each in studies(store)[16].trials if each.state is TrialState.FAILED}

    work(store)

    again = {each.plan.point: each.plan for each in studies(store)[16].finished(Role.SEARCH)}
    assert dropped
    assert {point: again[point] for point in dropped} == dropped


def test_a_complete_experiment_is_left_as_it_is(store: Store) -> None:
    work(store)
    before = repr(store.record("toy"))

    events = work(store)

    assert events == []
    assert repr(store.record("toy")) == before


def test_lanes_that_do_not_fit_are_halved(store: Store) -> None:
    events = work(store, objective=Toy(capacity=3))

    notices = [each.text for each in events if isinstance(each, Notice)]
    assert notices[:2] == [
        "batch size 16: 8 lanes do not fit; going on with 4 lanes",
        "batch size 16: 4 lanes do not fit; going on with 2 lanes",
    ]
    assert {each.plan.lanes for each in studies(store)[16].finished(Role.SEARCH)} == {2}


def test_a_study_that_breaks_leaves_the_others_to_go_on(store: Store) -> None:
    events = work(store, objective=Toy(breaks_at_batch_size=16))

    broken = [each for each in events if isinstance(each, StudyBroken)]
    assert [each.batch_size for each in broken] == [16]
    assert broken[0].reason.startswith("6 of the last 6 trials ended with an error, the last with ZeroDivisionError: ")
    ended = [each for each in studies(store)[16].trials if each.end is not None]
    assert [each.reason for each in ended] == ["ZeroDivisionError: the toy is broken"] * 6
    assert studies(store)[8].complete
    assert not studies(store)[16].complete


def test_a_study_in_which_nothing_reaches_the_target_has_nothing_to_confirm(store: Store) -> None:
    goal = dataclasses.replace(EXPERIMENT.goal, below=1e-6, within_steps=20)

    work(store, experiment=dataclasses.replace(EXPERIMENT, goal=goal))

    assert all(each.complete and not each.finished(Role.CHOOSE) for each in studies(store).values())


@dataclasses.dataclass(frozen=True, slots=True)
class Lucky(Toy):
    """The toy, but a learning rate works only the first time it is tried."""

    tried: dict[float, int] = dataclasses.field(default_factory=dict)

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        return LuckyTrainer(self, batch_size, lanes, "cpu", tried=self.tried)


@dataclasses.dataclass(slots=True)
class LuckyTrainer(ToyTrainer):
    """Lanes whose first seed is the lucky one."""

    tried: dict[float, int] = dataclasses.field(default_factory=dict)

    def _step(self, lane: int) -> Measurement:
        measured = ToyTrainer._step(self, lane)
        trial, _ = self.running[lane]
        if self.tried.setdefault(float(trial.hyperparameters["learning_rate"]), trial.seed) == trial.seed:
            return measured
        return Measurement(measured.step, dict.fromkeys(measured.metrics, 0.5))


def test_a_run_that_chooses_is_stopped_where_it_has_told_all_and_one_that_reports_is_not(store: Store) -> None:
    goal = dataclasses.replace(EXPERIMENT.goal, within_steps=1000)
    experiment = dataclasses.replace(EXPERIMENT, goal=goal, batch_sizes=(8,))
    work(store, objective=Lucky(), experiment=experiment)

    (study,) = studies(store).values()
    assert study.incumbent is not None
    limits = {
        role: {each.end.limit for each in study.finished(role) if each.end} for role in (Role.CHOOSE, Role.REPORT)
    }
    assert limits == {Role.CHOOSE: {3 * study.incumbent}, Role.REPORT: {1000}}

"""A worker of the service: any experiment, handed back when asked, failures bounded, the dead replaced."""

import dataclasses
import re
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from threading import Timer

import optuna
import psycopg
import pytest

from tests.toy import SMALL, Toy, ToyTrainer
from tests.working import work_through
from tuner.errors import ConfigError, Problem
from tuner.experiment import Experiment, parse
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyBroken, StudyFinished, StudyStarted, TrialFinished
from tuner.records import ExperimentState, Role, TrialState
from tuner.stores import Store
from tuner.stores.opening import open_store

ONE = parse(SMALL, source="toy.toml")
OTHER = dataclasses.replace(ONE, name="other", batch_sizes=(32,))
TRIALS = 12 + 2 + 3
TIME = r"\d\d:\d\d"


def work(store: Store, hear: Callable[[Event], None] = lambda event: None, **build: Objective) -> list[Event]:
    """What a worker says until nothing is open; with the workload of some experiments replaced."""
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        hear(event)

    work_through(store, emit=emit, build=lambda found: build.get(found.name) or found.build_objective())
    return events


def notices(events: list[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Notice)]


@dataclass(frozen=True, slots=True)
class Faulty(Toy):
    """The toy, which fails as it starts its first trainers."""

    failures: list[str] = field(default_factory=list)

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        if self.failures:
            raise RuntimeError(self.failures.pop())
        return Toy.trainer(self, batch_size, lanes=lanes, device=device)


def test_every_experiment_in_the_store_is_searched_oldest_first(store: Store) -> None:
    store.submit(ONE)
    store.submit(OTHER)

    events = work(store)

    assert [each.study.batch_size for each in events if isinstance(each, StudyStarted)] == [16, 8, 32]
    assert all(study.complete for name in ("toy", "other") for study in store.record(name).studies)


@pytest.mark.parametrize("state", [ExperimentState.PAUSED, ExperimentState.CANCELLED])
def test_a_closed_experiment_is_handed_back_and_the_others_go_on(store: Store, state: ExperimentState) -> None:
    slow = dataclasses.replace(ONE, objective={**ONE.objective, "pause": 0.01})
    store.submit(slow)
    store.submit(OTHER)

    def close(event: Event) -> None:
        if isinstance(event, TrialFinished) and event.batch_size == 16:
            store.set_state("toy", state)

    events = work(store, close)

    record = store.record("toy")
    assert "batch size 16: handed back; finished trials are stored" in notices(events)
    assert not any(each.complete for each in record.studies)
    assert record.studies[1].finished(Role.SEARCH)
    assert TrialState.RUNNING not in {each.state for each in record.studies[1].trials}
    assert store.record("other").studies[0].complete


def test_a_paused_experiment_that_is_resumed_repeats_nothing(store: Store) -> None:
    store.submit(ONE)
    store.set_state("toy", ExperimentState.PAUSED)
    assert work(store) == []

    store.set_state("toy", ExperimentState.OPEN)
    work(store)

    for study in store.record("toy").studies:
        assert len(study.finished(*Role)) == len(study.trials) == TRIALS


def test_what_fails_now_and_then_is_tried_again_and_keeps_its_reason(store: Store) -> None:
    store.submit(OTHER)

    events = work(store, other=Faulty(failures=["bad luck", "bad luck"]))

    assert notices(events) == ["batch size 32: RuntimeError: bad luck; trying again"] * 2
    assert store.record("other").studies[0].complete


def test_a_study_that_keeps_failing_is_set_aside_until_it_is_reopened(store: Store) -> None:
    store.submit(OTHER)
    store.submit(ONE)

    events = work(store, other=Faulty(failures=["broken"] * 3))

    (broken,) = (each for each in events if isinstance(each, StudyBroken))
    assert (broken.batch_size, broken.reason) == (32, "RuntimeError: broken")
    assert "Traceback" in broken.details
    assert store.record("other").studies[0].error == "RuntimeError: broken"
    assert all(each.complete for each in store.record("toy").studies)

    store.reopen("other")
    work(store)
    assert store.record("other").studies[0].complete


@pytest.mark.parametrize("accelerators", [0], indirect=True)
@pytest.mark.usefixtures("accelerators")
def test_a_worker_without_the_device_it_is_told_to_use_leaves_the_studies_to_others(store: Store) -> None:
    store.submit(ONE)

    events: list[Event] = []
    work_through(store, emit=events.append, device="cuda")

    sentence = "toy is left to other workers: device cuda: torch sees 0 GPUs here; --device auto or cpu does without"
    (said,) = notices(events)
    assert re.fullmatch(rf"{sentence}; left alone until {TIME}", said)
    assert not any(each.error for each in store.record("toy").studies)


def test_a_workload_that_cannot_be_made_here_is_left_to_others(store: Store) -> None:
    store.submit(ONE)
    store.submit(OTHER)

    def build(experiment: Experiment) -> Objective:
        if experiment.name == "toy":
            raise ConfigError([Problem("objective.kind", "my_lab.workload is not installed")])
        return experiment.build_objective()

    events: list[Event] = []
    work_through(store, emit=events.append, build=build)

    (said,) = notices(events)
    sentence = "toy is left to other workers: objective.kind: my_lab.workload is not installed"
    assert re.fullmatch(rf"{sentence}; left alone until {TIME}", said)
    assert [each.error for each in store.record("toy").studies] == ["", ""]
    assert store.record("other").studies[0].complete


def test_a_study_deleted_behind_its_back_is_left_alone(store: Store) -> None:
    store.submit(ONE)
    optuna.delete_study(study_name="toy/batch_size=16/round=1", storage=store.optuna_url)

    events = work(store)

    assert "is gone from Optuna's tables" in notices(events)[0]
    assert [each.complete for each in store.record("toy").studies] == [True, False]


@pytest.mark.parametrize("is_done", [True, False])
def test_a_worker_waits_for_what_another_searches_and_takes_over_what_is_left(store: Store, is_done: bool) -> None:
    store.submit(ONE)
    with ExitStack() as held:
        claim = held.enter_context(store.claim("toy", 16))
        assert claim is not None

        def end(event: Event) -> None:
            if isinstance(event, StudyFinished) and event.study.batch_size == 8:
                if is_done:
                    claim.complete()
                Timer(0.3, held.close).start()

        events = work(store, end)

    assert [each.study.batch_size for each in events if isinstance(each, StudyStarted)] == ([8] if is_done else [8, 16])
    assert all(each.complete for each in store.record("toy").studies)


def cut_connections(url: str) -> None:
    """End every other session of this database, as a server that restarts does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_training_goes_on_over_cut_connections_and_nothing_is_lost_or_repeated(postgres_url: str) -> None:
    cuts = iter([True] * 3)

    def cut(event: Event) -> None:
        if isinstance(event, TrialFinished) and event.trial.number % 5 == 4 and next(cuts, False):
            cut_connections(postgres_url)

    with closing(open_store(postgres_url)) as store:
        store.submit(ONE)
        events = work(store, cut)
        record = store.record("toy")

    assert [each.study.complete for each in events if isinstance(each, StudyFinished)] == [True, True]
    assert next(cuts, False) is False
    for study in record.studies:
        assert len(study.finished(*Role)) == TRIALS
        assert TrialState.RUNNING not in {each.state for each in study.trials}

"""Workers as actors on a real Ray cluster of this machine: heard, stopped, started again when they die."""

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
import ray

from tests.toy import SMALL, Toy, steps_to
from tests.working import work_through
from tuner.errors import OutOfMemory, TunerError
from tuner.experiment import Experiment, parse
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyStarted, TrialFinished
from tuner.records import DIAGNOSES_FROM, ExperimentRecord, PointRun, Role, StudyRecord, TrialEnd, TrialState
from tuner.search.tasks.contract import Task
from tuner.search.tasks.extra import Extra
from tuner.search.tasks.searching import Searching
from tuner.service.engine import Job
from tuner.service.ray.cluster import room
from tuner.service.ray.engine import Ray
from tuner.service.ray.trainer_actors import SpreadObjective, trainers
from tuner.service.signals import Stop
from tuner.stores.opening import open_store
from tuner.trial import TrialSpec

TOY = parse(SMALL, source="toy.toml")
SLOW = dataclasses.replace(TOY, objective={**TOY.objective, "pause": 0.01})
TRIALS = 12 + 2 + 3


def mortal(folder: Path) -> Experiment:
    """The toy, which kills its process once, in the study of batch size 16."""
    return dataclasses.replace(TOY, objective={"kind": "tests.toy:Mortal", "grave": str(folder / "grave")})


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster with a GPU that nobody uses."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def run(
    folder: Path,
    engine: Ray,
    experiment: Experiment = SLOW,
    hear: Callable[[Event], None] = lambda event: None,
    task: Task = Searching(),  # noqa: B008 - it has no state
) -> tuple[bool, list[Event], ExperimentRecord]:
    """A run of the toy: whether it came to its end, everything that was said, and what is stored."""
    url = f"sqlite:///{folder / 'tuner.db'}"
    said: list[Event] = []

    def tell(event: Event) -> None:
        said.append(event)
        hear(event)

    with closing(open_store(url)) as store:
        store.submit(experiment)
        to_the_end = engine.run(Job(experiment, url, "cpu", task=task), tell, stop=Stop())
        return to_the_end, said, store.record(experiment.name)


def notices(said: list[Event]) -> list[str]:
    return [each.text for each in said if isinstance(each, Notice)]


def assert_whole(record: ExperimentRecord) -> None:
    """Every study has all its trials once, and none is left running."""
    for study in record.studies:
        assert study.complete
        assert len(study.finished(*Role)) == TRIALS
        assert len({(each.plan.role, each.plan.point, each.plan.repeat) for each in study.finished(*Role)}) == TRIALS
        assert TrialState.RUNNING not in {each.state for each in study.trials}


def ends(study: StudyRecord) -> dict[tuple[Role, int, int], TrialEnd | None]:
    """How each run of a point ended."""
    return {(each.plan.role, each.plan.point, each.plan.repeat): each.end for each in study.finished(*Role)}


@pytest.mark.slow
def test_workers_share_the_studies_and_everything_they_say_arrives(cluster: None, tmp_path: Path) -> None:
    to_the_end, said, record = run(tmp_path, Ray(workers=2, num_gpus=0.5))

    assert to_the_end
    assert len({each.worker for each in said if isinstance(each, StudyStarted)}) == 2
    assert sum(isinstance(each, TrialFinished) for each in said) == 2 * TRIALS
    assert_whole(record)


@pytest.mark.slow
def test_a_worker_that_dies_is_started_again_by_ray_and_goes_on(cluster: None, tmp_path: Path) -> None:
    to_the_end, said, record = run(tmp_path, Ray(workers=1, num_gpus=0), mortal(tmp_path))

    assert to_the_end
    assert (tmp_path / "grave").exists()
    (told,) = notices(said)
    assert told.startswith("a worker died; Ray has started another, ")
    assert_whole(record)


@pytest.mark.slow
def test_a_signal_stops_the_workers_and_a_later_run_goes_on(cluster: None, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, TrialFinished):
            os.kill(os.getpid(), signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough

    before = signal.getsignal(signal.SIGINT)
    to_the_end, said, record = run(tmp_path, Ray(workers=2, num_gpus=0), hear=stop)

    assert not to_the_end
    assert signal.getsignal(signal.SIGINT) is before
    assert notices(said)[0].startswith("stopping: finished trials are stored")
    assert not any(each.complete for each in record.studies)
    assert run(tmp_path, Ray(workers=2, num_gpus=0))[0]
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        assert_whole(store.record("toy"))


@pytest.mark.slow
def test_a_study_spread_over_trainers_has_the_results_of_one_even_if_one_of_them_dies(
    cluster: None, tmp_path: Path
) -> None:
    to_the_end, said, spread = run(tmp_path, Ray(workers=1, trainers=2, num_gpus=0.5), mortal(tmp_path))
    with closing(open_store(f"sqlite:///{tmp_path / 'one.db'}")) as store:
        store.submit(TOY)
        work_through(store)
        one = store.record("toy")

    assert to_the_end
    (told,) = notices(said)
    assert told.startswith("batch size 16: a trainer is gone: ")
    assert told.endswith("; trying again")
    assert "TrainerLost" in {each.reason.partition(":")[0] for each in spread.studies[1].trials}
    assert_whole(spread)
    untouched, theirs = spread.studies[0].trials, one.studies[0].trials
    assert [(each.plan, each.end) for each in untouched] == [(each.plan, each.end) for each in theirs]
    assert ends(spread.studies[1]) == ends(one.studies[1])


def slower(objective: Objective) -> Objective:
    """The workload of an extra trial, which is made before it is spread over trainers."""
    assert isinstance(objective, Toy)
    return dataclasses.replace(objective, slow_at_batch_size=16)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Ray(workers=1, num_gpus=0), Ray(workers=1, trainers=2, num_gpus=0)])
def test_extra_trials_are_trained_with_their_own_workload(cluster: None, tmp_path: Path, engine: Ray) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        store.submit(TOY)
        work_through(store)
    wanted = [PointRun(DIAGNOSES_FROM, repeat, Role.DIAGNOSE, {"learning_rate": 0.1}) for repeat in (1, 2)]

    to_the_end, _, record = run(tmp_path, engine, TOY, task=Extra("toy", {16: tuple(wanted)}, slower))

    assert to_the_end
    assert [len(each.finished(Role.DIAGNOSE)) for each in record.studies] == [0, 2]
    assert {each.score > 2 * steps_to(0.03, 0.1) for each in record.studies[1].finished(Role.DIAGNOSE)} == {True}


@pytest.mark.slow
def test_a_trainer_whose_device_is_full_says_so(cluster: None) -> None:
    with trainers(1, num_gpus=0, give_up=lambda: False) as actors:
        trainer = SpreadObjective(Toy(capacity=1), actors).trainer(8, lanes=2, device="cpu")
        for lane in range(2):
            trainer.load(lane, TrialSpec(lane, {"learning_rate": 0.1}))

        with pytest.raises(OutOfMemory, match=r"^2 lanes do not fit$"):
            trainer.advance()


@pytest.mark.slow
def test_trainers_that_find_no_room_are_not_waited_for_for_ever(cluster: None) -> None:
    with trainers(2, num_gpus=4, give_up=lambda: True) as actors:
        assert actors == ()


@pytest.mark.slow
def test_room_is_what_an_empty_cluster_holds(cluster: None) -> None:
    assert [room(cpus=1, gpus=each) for each in (0, 0.5, 1, 8)] == [2, 2, 1, 1]


@pytest.mark.slow
def test_workers_that_cannot_open_the_store_say_why_and_the_service_fails(cluster: None, tmp_path: Path) -> None:
    said: list[Event] = []
    engine = Ray(workers=1, num_gpus=0)

    with pytest.raises(TunerError, match=r"^1 of 1 workers on Ray could not go on$"):
        engine.serve(
            f"sqlite:///{tmp_path}/none.db",
            device="cpu",
            once=True,
            recording=lambda *_: nullcontext(said.append),
            tell=said.append,
        )

    assert "there is no store at" in notices(said)[0]

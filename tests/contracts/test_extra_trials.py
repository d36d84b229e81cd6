"""Extra trials of complete studies: trained once each, and nothing of what was searched and confirmed changes."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.toy import SMALL, Toy, ToyTrainer, steps_to
from tests.working import work_through
from tuner.analysis.summary import results
from tuner.errors import TunerError
from tuner.experiment import parse
from tuner.objective import Objective
from tuner.recorders import Event, ExtraStarted, Notice, StudyBroken, StudyFinished, TrialFinished
from tuner.records import DIAGNOSES_FROM, EXTRA, RULES_FROM, ExperimentState, PointRun, Role, TrialState
from tuner.reports.export import write_json
from tuner.search.checkpoints import CheckpointFolder
from tuner.search.tasks.extra import Extra
from tuner.stores import Store
from tuner.stores.opening import open_progress, open_store
from tuner.trial import TrialSpec

EXPERIMENT = parse(SMALL, source="toy.toml")
RATES = (0.05, 0.2, 3.0)
"""Learning rates of the wanted trials; the last diverges."""
WANTED = tuple(
    PointRun(RULES_FROM + index, repeat, Role.RULE, {"learning_rate": rate})
    for index, rate in enumerate(RATES)
    for repeat in EXPERIMENT.confirmation.reporting
)
TASK = Extra("toy", {16: WANTED})


@pytest.fixture
def searched(store_url: str) -> Iterator[Store]:
    """A store of the toy, whose studies are complete."""
    with closing(open_store(store_url)) as opened:
        opened.submit(EXPERIMENT)
        work_through(opened)
        yield opened


def train(store: Store, task: Extra = TASK, **how: object) -> list[Event]:
    """What a worker says while it trains what a task wants."""
    events: list[Event] = []
    work_through(store, emit=events.append, task=task, **how)  # type: ignore[arg-type]
    return events


def answer(store: Store, url: str) -> str:
    """Everything that the searches and the confirmations came to, and how far the studies are."""
    with closing(open_progress(url)) as progress:
        return json.dumps(results(store.record("toy")).to_json()) + repr(progress.read("toy"))


def test_wanted_trials_have_results_and_nothing_else_has_changed(searched: Store, store_url: str) -> None:
    before = answer(searched, store_url)

    events = train(searched)

    small, large = searched.record("toy").studies
    assert small.finished(*EXTRA) == ()
    found = {(each.plan.point, each.plan.repeat): each.score for each in large.finished(Role.RULE)}
    takes = {RULES_FROM + index: steps_to(0.03, rate) for index, rate in enumerate(RATES[:2])}
    assert len(found) == len(WANTED)
    assert all(found[each.point, each.repeat] == takes.get(each.point, float("inf")) for each in WANTED)
    assert answer(searched, store_url) == before
    assert large.complete
    assert sum(isinstance(each, TrialFinished) for each in events) == len(WANTED)
    assert [type(each) for each in (events[0], events[-1])] == [ExtraStarted, StudyFinished]


def test_an_interruption_is_gone_on_with_from_checkpoints_and_nothing_runs_twice(
    searched: Store, tmp_path: Path
) -> None:
    ended: list[Event] = []
    folder = CheckpointFolder(tmp_path, every=0)
    task = replace(TASK, workload=paused)
    work_through(searched, emit=ended.append, task=task, stopping=lambda: len(ended) > 3, checkpoints=folder)
    first = searched.record("toy").studies[-1]

    events = train(searched, checkpoints=folder)

    study = searched.record("toy").studies[-1]
    done = [(each.plan.point, each.plan.repeat) for each in study.finished(Role.RULE)]
    assert 0 < len(first.finished(Role.RULE)) < len(WANTED)
    assert sorted(done) == sorted((each.point, each.repeat) for each in WANTED)
    assert TrialState.RUNNING not in {each.state for each in study.trials}
    assert any("goes on" in each.text for each in events if isinstance(each, Notice))
    assert train(searched) == []


def test_a_study_that_is_not_complete_or_not_open_is_left_alone(store_url: str) -> None:
    with closing(open_store(store_url)) as store:
        store.submit(EXPERIMENT)
        assert train(store) == []
        work_through(store)
        store.set_state("toy", ExperimentState.PAUSED)
        assert train(store) == []
        with pytest.raises(TunerError, match="toy is paused"):
            TASK.submit(store, EXPERIMENT)
        store.set_state("toy", ExperimentState.CANCELLED)
        with pytest.raises(TunerError, match="toy was cancelled"):
            TASK.submit(store, EXPERIMENT)


def test_a_study_that_another_worker_has_is_waited_for_and_one_that_grows_is_handed_back(searched: Store) -> None:
    with searched.claim("toy", 16):
        (waiting,) = TASK.open_studies(searched)
        assert not waiting.is_free

    more = replace(EXPERIMENT, search=replace(EXPERIMENT.search, points=13))
    searched.submit(more)

    assert TASK.open_studies(searched) == []
    work_through(searched)
    train(searched)
    study = searched.record("toy").studies[-1]
    assert len(study.finished(Role.SEARCH)) == 13
    assert len(study.finished(Role.RULE)) == len(WANTED)


class Broken(Toy):
    """Its trainer cannot be made."""

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        raise RuntimeError("no device")


def broken(_: Objective) -> Objective:
    return Broken()


def test_a_workload_that_fails_breaks_nothing_of_the_study(searched: Store) -> None:
    events = train(searched, replace(TASK, workload=broken))

    study = searched.record("toy").studies[-1]
    assert [each.reason for each in events if isinstance(each, StudyBroken)] == ["RuntimeError: no device"]
    assert (study.complete, study.error) == (True, "")


class FailsAtLowRates(Toy):
    """The toy, which can train no trial of a small learning rate."""

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        return RefusingTrainer(self, batch_size, lanes, "cpu")


class RefusingTrainer(ToyTrainer):
    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        if float(trial.hyperparameters["learning_rate"]) < 0.1:
            raise OSError("the disk is gone")
        ToyTrainer.load(self, lane, trial, checkpoint)


def failing(_: Objective) -> Objective:
    return FailsAtLowRates()


def test_what_an_error_ended_is_trained_again_once_the_task_is_submitted_again(searched: Store) -> None:
    before = results(searched.record("toy")).to_json()
    train(searched, replace(TASK, workload=failing))
    failed = searched.record("toy").studies[-1]
    numbers = {each.number for each in TASK.errors(failed)}
    diverged = {each.number for each in failed.finished(Role.RULE) if each.plan.point == RULES_FROM + 2}
    assert (len(numbers), len(diverged)) == (3, 3)
    assert train(searched) == []  # by itself it is not tried again
    assert TASK.has_work(searched.record("toy"))
    assert not TASK.has_work(replace(searched.record("toy"), state=ExperimentState.PAUSED))  # what is known is shown

    Extra("toy", {16: WANTED[3:]}).submit(searched, EXPERIMENT)
    assert train(searched) == []  # not wanted by that task
    TASK.submit(searched, EXPERIMENT)
    train(searched)

    study = searched.record("toy").studies[-1]
    assert results(searched.record("toy")).to_json() == before
    assert TASK.errors(study) == ()
    assert not TASK.has_work(searched.record("toy"))
    again = [each for each in study.finished(Role.RULE) if each.plan.point == RULES_FROM]
    assert {each.score for each in again} == {steps_to(0.03, RATES[0])}
    assert len(study.finished(Role.RULE)) == len(WANTED)
    assert diverged < {each.number for each in study.finished(Role.RULE)}
    kept = [each for each in study.trials if each.number in numbers]
    assert {(each.state, each.reason) for each in kept} == {(TrialState.FAILED, "OSError: the disk is gone")}


def paused(_: Objective) -> Objective:
    return Toy(pause=0.02)


def slower(_: Objective) -> Objective:
    return Toy(slow_at_batch_size=8)


def test_the_task_says_with_which_workload(searched: Store) -> None:
    run = PointRun(DIAGNOSES_FROM, 0, Role.DIAGNOSE, {"learning_rate": 0.1})

    train(searched, Extra("toy", {8: (run,)}, slower))

    (trial,) = searched.record("toy").studies[0].finished(Role.DIAGNOSE)
    assert trial.score > 2 * steps_to(0.03, 0.1)


def test_exports_have_extra_trials_with_their_role(searched: Store) -> None:
    train(searched)
    out = io.StringIO()

    write_json(searched, "toy", out)

    roles = [each["role"] for each in json.loads(out.getvalue())["trials"]]
    assert roles.count("rule") == len(WANTED)

"""What kills may change of an experiment, on PostgreSQL: of a quasi-random search nothing, of any its budget never."""

import dataclasses
import math
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
import torch

from tests.toy import SMALL
from tests.working import work_through
from tuner.analysis.optimum.confirmation import candidates, pending
from tuner.experiment import ConfirmationSettings, Experiment, parse, preset_text
from tuner.records import Role, StudyRecord, TrialState
from tuner.search.checkpoints import CheckpointFolder
from tuner.search.replay import replay
from tuner.stores.opening import open_store
from tuner.trial import Outcome

POINTS = 8
PROCESSES = multiprocessing.get_context("fork")
"""Forked, so that a worker needs no seconds to load torch; it opens connections of its own."""


CONFIRMATION = ConfirmationSettings(candidates=2, choose_seeds=2, report_seeds=2)
TOY = parse(SMALL, source="toy.toml")
DIGITS = parse(preset_text("digits"), source="digits")


def toy(sampler: str) -> Experiment:
    """The toy with some time to be killed in."""
    return dataclasses.replace(
        TOY,
        objective={**TOY.objective, "pause": 0.002},
        search=dataclasses.replace(TOY.search, points=POINTS, width=4, max_rounds=1, sampler={"kind": sampler}),
        confirmation=CONFIRMATION,
    )


def digits(sampler: str) -> Experiment:
    """The preset, made small. Early stopping is off, because where it cuts a trial depends on when others end."""
    search = dataclasses.replace(
        DIGITS.search, points=POINTS, width=4, max_rounds=1, optimism=math.inf, sampler={"kind": sampler}
    )
    goal = dataclasses.replace(DIGITS.goal, below=0.06, within_steps=600)
    sizes = (16, 32, 64, 128)
    return dataclasses.replace(DIGITS, batch_sizes=sizes, search=search, goal=goal, confirmation=CONFIRMATION)


def work(url: str, checkpoints: CheckpointFolder | None) -> None:
    """The life of a worker."""
    torch.set_num_threads(1)  # those of the process that was forked are not here
    with closing(open_store(url)) as store:
        work_through(store, checkpoints=checkpoints)


@dataclass
class Crew:
    """Workers as processes."""

    url: str
    checkpoints: CheckpointFolder | None = None

    def start(self) -> ForkProcess:
        process = PROCESSES.Process(target=work, args=(self.url, self.checkpoints))
        process.start()
        return process

    def finish(self, workers: int) -> None:
        """Search until nothing is open."""
        processes = [self.start() for _ in range(workers)]
        for each in processes:
            each.join()
        assert [each.exitcode for each in processes] == [0] * workers

    def finish_under_kills(self, workers: int, *, kills: int, chance: random.Random) -> None:
        """Kill any worker now and then, and start another in its place; then let them finish."""
        processes = [self.start() for _ in range(workers)]
        for _ in range(kills):
            victim = processes.pop(chance.randrange(workers))
            victim.join(chance.uniform(0.2, 1.5))
            victim.kill()
            victim.join()
            processes.append(self.start())
        for each in processes:
            each.join()
        assert [each.exitcode for each in processes] == [0] * workers


def studies(url: str, name: str) -> tuple[StudyRecord, ...]:
    with closing(open_store(url)) as store:
        return store.record(name).studies


def plans(study: StudyRecord) -> dict[int, tuple[int, str]]:
    """The seed and the hyperparameters of every point of a search."""
    return {
        each.plan.point: (each.plan.seed, repr(sorted(each.plan.hyperparameters.items())))
        for each in study.first_look.all_trials(Role.SEARCH)
    }


def reached(study: StudyRecord) -> dict[int, int]:
    """Steps to target of the points that reached it."""
    return {
        each.plan.point: each.end.steps
        for each in study.first_look.finished(Role.SEARCH)
        if each.end is not None and each.end.outcome is Outcome.ACHIEVED
    }


def assert_whole(study: StudyRecord, experiment: Experiment, studies: Sequence[StudyRecord]) -> None:
    """A study has its budget of trials, each once, and none is running."""
    settings = experiment.confirmation
    runs = Counter((each.round, each.plan.role, each.plan.point, each.plan.repeat) for each in study.finished(*Role))
    assert study.complete
    assert set(runs.values()) == {1}
    assert {each.plan.point for each in study.first_look.finished(Role.SEARCH)} == set(range(POINTS))
    assert pending(study, candidates(study, studies, settings), settings) == []
    assert TrialState.RUNNING not in {each.state for each in study.all_trials(*Role)}


@pytest.mark.parametrize(
    ("workload", "workers", "kills"),
    [
        pytest.param(toy, 2, 3),
        pytest.param(digits, 4, 8, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_a_quasi_random_search_is_the_same_with_one_worker_several_and_several_that_are_killed(
    postgres_url: str, tmp_path: Path, workload: Callable[[str], Experiment], workers: int, kills: int
) -> None:
    found = {}
    for name in ("one", "several", "killed"):
        experiment = dataclasses.replace(workload("quasi_random"), name=name)
        crew = Crew(postgres_url, CheckpointFolder(tmp_path, every=0.1) if name == "killed" else None)
        with closing(open_store(postgres_url)) as store:
            store.submit(experiment)
        if name == "killed":
            crew.finish_under_kills(workers, kills=kills, chance=random.Random(0))
        else:
            crew.finish(1 if name == "one" else workers)
        found[name] = studies(postgres_url, name)
        for each in found[name]:
            assert_whole(each, experiment, found[name])

    for one, several, killed in zip(*found.values(), strict=True):
        assert plans(one) == plans(several) == plans(killed)
        shared = reached(one).keys() & reached(several).keys() & reached(killed).keys()
        assert shared
        for other in (several, killed):
            assert all(reached(other)[point] == reached(one)[point] for point in shared)
        assert one.first_look.incumbent == several.first_look.incumbent == killed.first_look.incumbent


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_by_tpe_whose_workers_are_killed_keeps_its_budget_and_can_be_replayed(postgres_url: str) -> None:
    experiment = digits("tpe")
    with closing(open_store(postgres_url)) as store:
        store.submit(experiment)

    Crew(postgres_url).finish_under_kills(4, kills=8, chance=random.Random(1))

    with closing(open_store(postgres_url)) as store:
        record = store.record(experiment.name)
    for study in record.studies:
        assert_whole(study, experiment, record.studies)
        for trial in study.finished(*Role):
            assert replay(record, batch_size=study.batch_size, number=trial.number, round=trial.round).same

"""Trials that are interrupted go on from their checkpoints, and end as if nothing had happened."""

import dataclasses
import itertools
import json
import math
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.commands import kill, read_until, started
from tests.toy import SMALL
from tests.working import work_through
from tuner.experiment import Experiment, parse, preset_text
from tuner.experiment.space import Fixed, Range, Scale
from tuner.recorders import Event, Notice
from tuner.records import Curve, Role, TrialEnd, TrialState
from tuner.search.checkpoints import CheckpointFolder
from tuner.stores import Store
from tuner.stores.opening import open_store

STEPS = 4_000
"""Of a trial that never reaches its target: seconds to be killed in."""
KILLED_FROM = 100
"""Steps that trials have done when their worker is killed."""
TOY = parse(SMALL, source="toy.toml")


def long_trials() -> Experiment:
    """Two trials of the network of the preset `digits`, which train to the end of their budget."""
    whole = parse(preset_text("digits"), source="digits")
    search = dataclasses.replace(
        whole.search, points=2, width=2, max_rounds=1, optimism=math.inf, sampler={"kind": "quasi_random"}
    )
    goal = dataclasses.replace(whole.goal, below=1e-9, within_steps=STEPS)
    rates = Range(1e-3, 1e-2, scale=Scale.LOG)  # at none of them it diverges
    space = whole.space.changed({"learning_rate": rates, "momentum": Fixed(0.9)})
    return dataclasses.replace(whole, name="long", batch_sizes=(16,), search=search, goal=goal, space=space)


def results(store: Store, name: str, batch_size: int) -> dict[tuple[int, int], tuple[TrialEnd, Curve]]:
    """How each run of a point ended, and its whole curve."""
    (study,) = (each for each in store.record(name).studies if each.batch_size == batch_size)
    curves = store.curves(name, batch_size)
    return {
        (each.plan.point, each.plan.repeat): (each.end, curves[each.number])
        for each in study.finished(*Role)
        if each.end is not None
    }


def resumed_at(events: list[Event]) -> list[int]:
    """The steps from which trials went on."""
    texts = [each.text for each in events if isinstance(each, Notice)]
    return [int(each.rpartition(" goes on from step ")[2]) for each in texts if " goes on from step " in each]


def steps_in(folder: Path) -> list[int]:
    """How far the curve is in each checkpoint, told by their text alone."""
    found = []
    for each in folder.rglob("*.checkpoint"):
        with suppress(FileNotFoundError):  # its trial has a result since
            header = json.loads(each.read_bytes().split(b"\n", 3)[2])
            found.append(header["curve"][-1][0])
    return found


@pytest.mark.slow
def test_a_trial_whose_worker_was_killed_goes_on_from_its_checkpoint_and_measures_the_same(tmp_path: Path) -> None:
    experiment, checkpoints = long_trials(), CheckpointFolder(tmp_path / "checkpoints", every=0)
    killed, whole = (f"sqlite:///{tmp_path / name}.db" for name in ("killed", "whole"))
    events: list[Event] = []
    for each in (killed, whole):
        with closing(open_store(each)) as store:
            store.submit(experiment)
    command = ("worker", "--checkpoints", str(checkpoints.path), "--checkpoint-every", "0")
    with started(tmp_path, *command, TUNER_STORE=killed) as worker:
        read_until(worker, "starts")
        while len(reached := steps_in(checkpoints.path)) < 2 or min(reached) < KILLED_FROM:
            assert worker.poll() is None
            time.sleep(0.01)
        kill(worker)
    with closing(open_store(killed)) as store:
        assert results(store, "long", 16) == {}
        work_through(store, emit=events.append, checkpoints=dataclasses.replace(checkpoints, every=3600))
        found = results(store, "long", 16)
        (study,) = store.record("long").studies
    with closing(open_store(whole)) as store:
        work_through(store)
        expected = results(store, "long", 16)

    assert len(resumed_at(events)) == 2
    assert min(resumed_at(events)) >= KILLED_FROM
    assert repr(found) == repr(expected)
    assert len(found) == 2
    assert all(end.spent == curve[-1].step >= STEPS for end, curve in found.values())
    assert [each.reason for each in study.trials if each.state is TrialState.FAILED] == [
        "orphaned: its worker ended without a word"
    ] * 2
    assert list(checkpoints.path.iterdir()) == []


def test_a_worker_that_is_asked_to_stop_saves_where_every_trial_stands(store: Store, tmp_path: Path) -> None:
    chunks = itertools.count()
    checkpoints = CheckpointFolder(tmp_path / "checkpoints", every=3600)
    store.submit(TOY)
    work_through(store, stopping=lambda: next(chunks) > 40, checkpoints=checkpoints)
    saved = sorted(steps_in(checkpoints.path))
    events: list[Event] = []

    work_through(store, emit=events.append, checkpoints=checkpoints)

    assert saved
    assert sorted(resumed_at(events)) == saved
    with closing(open_store(f"sqlite:///{tmp_path / 'whole'}.db")) as other:
        other.submit(TOY)
        work_through(other)
        for batch_size in (8, 16):
            assert repr(sorted(results(store, "toy", batch_size).items())) == repr(
                sorted(results(other, "toy", batch_size).items())
            )
    assert list(checkpoints.path.iterdir()) == []

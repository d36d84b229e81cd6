"""The training loop and the training script that the README shows run, and go on when their worker is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import arguments, environment, processes_below, started, tuner
from tests.test_readme import OBJECTIVES, block
from tests.working import work_through
from tuner.experiment import load
from tuner.records import Role
from tuner.stores.opening import open_records, open_store

EXPERIMENT = """
name = "mine"
batch_sizes = [16]

{objective}
[goal]
metric = "validation/error"
below = {below}
within_steps = 1000

[space]
learning_rate = {{ low = {low}, high = {high}, scale = "log" }}

[search]
sampler = {{ kind = "random" }}
points = 4
width = 2
slack = inf
optimism = inf
probes = 0
max_rounds = 1
second_look_points = 0

[confirmation]
candidates = 1
neighbours = false
choose_seeds = 1
report_seeds = 1
"""
"""Nothing depends on which trial ends first, so that a worker that is killed changes nothing."""
PATIENCE_SECONDS = 90.0


def function(folder: Path) -> str:
    """The README's training loop in a folder; its experiment."""
    (folder / "my_lab").mkdir()
    (folder / "my_lab" / "train.py").write_text(block(OBJECTIVES, "python", containing="def train("))
    objective = block(OBJECTIVES, "toml", containing='kind = "function"')
    return EXPERIMENT.format(objective=objective, below=0.15, low=1e-2, high=1)


def command(folder: Path) -> str:
    """The README's training script in a folder; its experiment."""
    (folder / "train.py").write_text(block(OBJECTIVES, "python", containing="argparse"))
    objective = block(OBJECTIVES, "toml", containing='kind = "command"')
    return EXPERIMENT.format(objective=objective, below=0.045, low=1e-2, high=1)


def trials(folder: Path) -> Mapping[object, object]:
    """The end and the whole curve of every trial of a finished experiment."""
    with closing(open_records(f"sqlite:///{folder}/tuner.db")) as store:
        (study,) = store.record("mine").studies
        curves = store.curves("mine", study.batch_size)
        assert study.complete
        finished = study.finished(*Role)
        return {
            (each.plan.role, each.plan.point, each.plan.repeat): (each.end, curves[each.number]) for each in finished
        }


def kill_the_worker_of(process: int, checkpoints: Path) -> None:
    """Kill the worker of a run, as soon as there are checkpoints of its trials."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not list(checkpoints.rglob("*.checkpoint")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    workers = [each for each in processes_below(process) if b"spawn_main" in arguments(each)]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("write", [function, command])
def test_it_runs_and_a_worker_that_is_killed_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], str]
) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # `python` is the one that runs this
    (tmp_path / "mine.toml").write_text(write(tmp_path))
    options = ("--workers", "1", "--store", f"sqlite:///{tmp_path}/tuner.db", "--checkpoint-every", "0.02")
    running = ("run", "mine.toml", *options, "--checkpoints", "saved")
    with started(tmp_path, *running, PATH=path) as run:
        kill_the_worker_of(run.pid, tmp_path / "saved")
        said, _ = run.communicate(timeout=PATIENCE_SECONDS)
    again = tuner(tmp_path, *running, PATH=path)

    assert "died with exit code -9" in said
    assert again.returncode == 0, again.stdout + again.stderr
    assert re.search(r"point \d goes on from step \d+", again.stdout)

    (tmp_path / "undisturbed").mkdir()
    monkeypatch.setenv("PATH", path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with closing(open_store(f"sqlite:///{tmp_path}/undisturbed/tuner.db")) as store:
        store.submit(load("mine.toml"))
        work_through(store)

    assert len(trials(tmp_path)) == 4 + 1
    assert trials(tmp_path) == trials(tmp_path / "undisturbed")


def test_the_loop_is_short_and_the_script_is_an_ordinary_one() -> None:
    loop = block(OBJECTIVES, "python", containing="def train(")
    script = block(OBJECTIVES, "python", containing="argparse").splitlines()

    assert len(loop.splitlines()) <= 25
    assert 1 <= len([each for each in script if each.endswith("# added")]) <= 3


def test_the_script_without_what_was_added_runs_by_itself(tmp_path: Path) -> None:
    lines = block(OBJECTIVES, "python", containing="argparse").splitlines()
    (tmp_path / "train.py").write_text("\n".join(each for each in lines if not each.endswith("# added")))

    done = subprocess.run(
        [sys.executable, "train.py", "--lr=0.01", "--batch=16", "--steps=20"],
        cwd=tmp_path, capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip

    assert [each.split(":")[0] for each in done.stdout.splitlines()] == ["step 10", "step 20"]

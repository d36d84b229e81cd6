"""The training loop and the training script that the README shows run, and go on when their worker is killed."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.commands import arguments, environment, processes_below, started, tuner
from tests.test_readme import OBJECTIVES, block

EXPERIMENT = """
name = "mine"
batch_sizes = [16]

{objective}
[goal]
metric = "validation/error"
below = {below}
within_steps = 3000

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
    return EXPERIMENT.format(objective=objective, below=0.05, low=1e-3, high=1e-1)


def command(folder: Path) -> str:
    """The README's training script in a folder; its experiment."""
    (folder / "train.py").write_text(block(OBJECTIVES, "python", containing="argparse"))
    objective = block(OBJECTIVES, "toml", containing='kind = "command"')
    return EXPERIMENT.format(objective=objective, below=0.01, low=1e-3, high=1e-2)


def variables() -> dict[str, str]:
    """Of the environment: `python` is the one that runs the tests."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def trials(folder: Path) -> Mapping[str, object]:
    """What a finished experiment has found."""
    found = json.loads(tuner(folder, "results", "mine", "--json").stdout)
    (study,) = found["studies"]
    assert study["complete"]
    return {name: study[name] for name in ("best", "confirmed") if name in study}


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
@pytest.mark.parametrize("write", [function, command], ids=lambda each: each.__name__)
def test_it_runs_and_a_worker_that_is_killed_changes_nothing(tmp_path: Path, write: object) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        folder.mkdir()
        (folder / "mine.toml").write_text((function if write is function else command)(folder))
    once = tuner(undisturbed, "run", "mine.toml", "--workers", "1", **variables())
    assert once.returncode == 0, once.stdout + once.stderr

    saving = ("run", "mine.toml", "--workers", "1", "--checkpoints", "saved", "--checkpoint-every", "0.02")
    with started(disturbed, *saving, **variables()) as run:
        kill_the_worker_of(run.pid, disturbed / "saved")
        said, _ = run.communicate(timeout=PATIENCE_SECONDS)
    again = tuner(disturbed, *saving, **variables())

    assert "died with exit code -9" in said
    assert again.returncode == 0, again.stdout + again.stderr
    assert re.search(r"point \d goes on from step \d+", again.stdout)
    assert trials(disturbed) == trials(undisturbed)


def test_the_loop_is_short_and_the_script_is_an_ordinary_one() -> None:
    loop = block(OBJECTIVES, "python", containing="def train(")
    script = block(OBJECTIVES, "python", containing="argparse").splitlines()

    assert len(loop.splitlines()) <= 25
    assert 1 <= len([each for each in script if each.endswith("# added")]) <= 3


def test_the_script_without_what_was_added_runs_by_itself(tmp_path: Path) -> None:
    import subprocess

    lines = block(OBJECTIVES, "python", containing="argparse").splitlines()
    (tmp_path / "train.py").write_text("\n".join(each for each in lines if not each.endswith("# added")))

    done = subprocess.run(
        [sys.executable, "train.py", "--lr=0.01", "--batch=16", "--steps=20"],
        cwd=tmp_path, capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip

    assert [each.split(":")[0] for each in done.stdout.splitlines()] == ["step 10", "step 20"]

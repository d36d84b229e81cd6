"""How commands end that are told to: quietly, at once, and with all that they have started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.commands import arguments, environment, free_port, lives, processes_below, read_until, started
from tests.toy import SMALL

WHEN_IMPORTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.killpg(os.getpgrp(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
sys.argv = ["tuner", *{arguments!r}]
from tuner.__main__ import main
main()
"""
"""Ctrl-C, which reaches the whole group of processes, at the moment when a module is imported."""
SECONDS = 10


def wait_for_the_end_of(processes: set[int]) -> set[int]:
    """Those of some processes that are still alive after a while."""
    deadline = time.monotonic() + SECONDS
    while (alive := {each for each in processes if lives(each)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_that_compute_predictions_end_with_the_command(tmp_path: Path, sign: signal.Signals) -> None:
    with started(tmp_path, "predict", "nqm-kfac") as command:
        deadline = time.monotonic() + 60
        while len(children := processes_below(command.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)

        command.send_signal(sign)
        said, _ = command.communicate(timeout=60)

    assert children
    assert wait_for_the_end_of(children) == set()
    if sign is not signal.SIGKILL:
        assert said == ""
        assert command.returncode == 128 + sign


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_mlflow_ui_ends_when_the_command_is_killed(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}").create_experiment("toy")
    with started(tmp_path, "mlflow", "--port", str(free_port())) as command:
        read_until(command, "Uvicorn running")
        children = processes_below(command.pid)

        command.kill()
        command.wait()

        assert children
        assert wait_for_the_end_of(children) == set()


@pytest.mark.parametrize(
    "module",
    [
        "typer",
        "tuner.service",
        "optuna",
        "multiprocessing.resource_tracker",
        "multiprocessing.popen_spawn_posix",
        "mlflow",
    ],
)
def test_ctrl_c_in_the_first_seconds_is_no_traceback(tmp_path: Path, module: str) -> None:
    (tmp_path / "toy.toml").write_text(SMALL)
    command = WHEN_IMPORTED.format(module=module, arguments=["run", "toy.toml", "--workers", "2"])

    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(),
        start_new_session=True,
    )

    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 130


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("later", [0.1, 0.3])
def test_ctrl_c_while_workers_are_still_starting_is_no_traceback(tmp_path: Path, later: float) -> None:
    (tmp_path / "toy.toml").write_text(SMALL)
    command = subprocess.Popen(
        [sys.executable, "-m", "tuner", "run", "toy.toml", "--workers", "2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any(b"spawn_main" in arguments(each) for each in processes_below(command.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(later)

    os.killpg(command.pid, signal.SIGINT)
    said, _ = command.communicate(timeout=60)

    assert "Traceback" not in said
    assert command.returncode == 130

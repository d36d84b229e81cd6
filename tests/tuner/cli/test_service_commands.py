"""The service as people use it: submitted, searched by workers, paused, resumed, cancelled, and looked at."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import environment, kill, read_until, started, tuner
from tests.test_postgresql_run import exported, repeats
from tests.toy import SMALL

pytestmark = pytest.mark.slow

SLOW = SMALL.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\npause = 0.02')


@pytest.fixture
def submitted(tmp_path: Path) -> Path:
    """A folder whose store holds the slow toy."""
    (tmp_path / "toy.toml").write_text(SLOW)
    done = tuner(tmp_path, "submit", "toy.toml")
    assert done.stdout == "toy is stored, 2 of 2 studies to be searched\n", done.stderr
    return tmp_path


def states(folder: Path) -> list[str]:
    """The state of each study, as `tuner status` shows it."""
    rows = [each.removeprefix("toy").split() for each in tuner(folder, "status").stdout.splitlines()]
    return [" ".join(each for each in row[1:3] if each.isalpha()) for row in rows if row and row[0].isdigit()]


def test_what_is_submitted_is_searched_by_a_worker_as_a_run_would(submitted: Path, finished: Path) -> None:
    done = tuner(submitted, "worker", "--once")

    assert done.returncode == 0, done.stderr
    assert "nothing is open any more" in done.stdout
    assert states(submitted) == ["done", "done"]
    ours, theirs = (exported(f"sqlite:///{each}/runs/tuner.db", "toy") for each in (submitted, finished))
    assert ours == theirs
    assert tuner(submitted, "sync", "toy").stdout.startswith("0 runs created, 0 completed")


def test_tables_are_made_by_migrate_and_not_by_looking(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    url = "sqlite:///empty.db"

    assert "there is no store in" in tuner(tmp_path, "status", "--store", url).stderr
    assert tuner(tmp_path, "migrate", "--store", url).stdout == f"sqlite:///{tmp_path}/empty.db is ready\n"
    assert tuner(tmp_path, "status", "--store", url).returncode == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_hands_back_at_a_signal_and_exits_with_zero(submitted: Path, sign: signal.Signals) -> None:
    with started(submitted, "worker") as worker:
        read_until(worker, "searching, ")
        worker.send_signal(sign)
        said = worker.communicate(timeout=60)[0]

    assert worker.returncode == 0, said
    assert "stopped; everything finished is stored" in said
    trials = exported(f"sqlite:///{submitted}/runs/tuner.db", "toy")
    assert {each["state"] for each in trials} == {"finished", "failed"}
    assert states(submitted) == ["waiting", "stopped"]


def test_pause_hands_back_resume_goes_on_and_status_tells(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SLOW.replace("0.02", "0.06"))  # so that it lasts longer than two commands
    assert tuner(tmp_path, "submit", "toy.toml").returncode == 0
    with started(tmp_path, "worker", "--once") as worker:
        read_until(worker, "searching, ")
        running = tuner(tmp_path, "status").stdout
        paused = tuner(tmp_path, "pause", "toy")
        said = worker.communicate(timeout=60)[0]
    assert re.search(r"^\S+/\d+ +cpu +\d\d:\d\d +16$", running, re.MULTILINE)
    assert "left, at the pace since each study was claimed" in running
    assert paused.stdout.startswith("toy is paused")
    assert "handed back" in said
    assert states(tmp_path) == ["paused", "paused"]

    assert tuner(tmp_path, "submit", "toy.toml").stdout.endswith("; it is paused: tuner resume toy\n")
    interrupted = tuner(tmp_path, "run", "toy.toml")
    assert interrupted.returncode == 1
    assert "toy is paused; tuner resume toy opens it again" in interrupted.stdout

    assert tuner(tmp_path, "resume", "toy").stdout.startswith("toy is open")
    assert tuner(tmp_path, "worker", "--once").returncode == 0
    assert states(tmp_path) == ["done", "done"]
    assert set(repeats(exported(f"sqlite:///{tmp_path}/runs/tuner.db", "toy")).values()) == {1}


def test_a_cancelled_experiment_is_never_searched_and_its_results_stay(submitted: Path) -> None:
    assert tuner(submitted, "cancel", "toy").stdout.startswith("toy is cancelled")

    assert tuner(submitted, "worker", "--once").returncode == 0
    assert states(submitted) == ["cancelled", "cancelled"]
    assert tuner(submitted, "results", "toy").returncode == 0
    for command in (("resume", "toy"), ("run", "toy.toml"), ("submit", "toy.toml")):
        done = tuner(submitted, *command)
        assert done.returncode == 1
        assert done.stderr == "error: toy was cancelled, which is for good; submit it again under another name\n"


def test_a_study_that_keeps_failing_is_shown_with_its_error(tmp_path: Path) -> None:
    broken = 'kind = "tests.toy:Toy"\nbreaks_at_batch_size = 16'
    (tmp_path / "toy.toml").write_text(SMALL.replace('kind = "tests.toy:Toy"', broken))
    tuner(tmp_path, "submit", "toy.toml")

    assert tuner(tmp_path, "worker", "--once").returncode == 0
    said = tuner(tmp_path, "status").stdout
    assert states(tmp_path) == ["done", "set aside"]
    assert "toy, batch size 16 was set aside: 6 of the last 6 trials ended with an error, the last with " in said
    assert "ZeroDivisionError: the toy is broken; repair the training code and run the experiment again" in said


def test_a_killed_worker_is_not_shown_as_searching_and_another_goes_on(submitted: Path) -> None:
    with started(submitted, "worker") as worker:
        read_until(worker, "searching, ")
        kill(worker)
    assert states(submitted) == ["waiting", "stopped"]

    assert tuner(submitted, "worker", "--once").returncode == 0
    assert states(submitted) == ["done", "done"]
    assert set(repeats(exported(f"sqlite:///{submitted}/runs/tuner.db", "toy")).values()) == {1}


def test_a_worker_whose_training_does_not_pause_is_ended_after_a_grace_period(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SLOW.replace("pause = 0.02", "pause = 600.0"))
    tuner(tmp_path, "submit", "toy.toml")
    with started(tmp_path, "worker") as worker:
        read_until(worker, "starts")
        worker.terminate()
        said = worker.communicate(timeout=90)[0]

    assert worker.returncode == 0
    assert "stopping: handing the study back" in said
    assert states(tmp_path) == ["waiting", "stopped"]


def test_delete_asks_and_says_what_stays(submitted: Path) -> None:
    refused = tuner(submitted, "delete", "toy")
    assert refused.returncode == 1
    assert refused.stderr.endswith("nobody can be asked here; give --yes\n")
    assert states(submitted) == ["waiting", "waiting"]

    done = tuner(submitted, "delete", "toy", "--yes")

    assert done.returncode == 0, done.stderr
    assert "toy is deleted: 2 studies, 0 trials" in done.stdout
    assert "MLflow keeps toy, or toy (store " in done.stdout
    assert "no experiment" in tuner(submitted, "results", "toy").stderr
    assert tuner(submitted, "submit", "toy.toml").returncode == 0


@pytest.mark.parametrize(("answer", "left"), [("n", ["waiting", "waiting"]), ("y", [])])
def test_delete_on_a_terminal_does_what_it_is_told(submitted: Path, answer: str, left: list[str]) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "tuner", "delete", "toy"]
    os.write(ours, f"{answer}\n".encode())

    done = subprocess.run(
        command, cwd=submitted, stdin=theirs, capture_output=True, text=True, timeout=60, env=environment(), check=False
    )

    os.close(ours)
    os.close(theirs)
    assert "delete toy with 0 trials from sqlite:///" in done.stdout
    assert done.returncode == (0 if answer == "y" else 1)
    assert states(submitted) == left


def test_delete_takes_the_checkpoints_along(submitted: Path) -> None:
    with started(submitted, "worker", "--checkpoints", "saved", "--checkpoint-every", "0") as worker:
        read_until(worker, "searching, ")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    (theirs,) = (submitted / "saved").iterdir()
    assert list(theirs.rglob("*.checkpoint"))

    assert tuner(submitted, "delete", "toy", "--yes", "--checkpoints", "saved").returncode == 0

    assert list((submitted / "saved").iterdir()) == []

"""Scripts end when they are cut and never outlive their worker, and go on from their checkpoints."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import ROOT, environment, processes_below
from tests.objectives.loops.scripts import command, curve, errors, failure, loaded, spec
from tuner.trial import Measurement

PATIENCE_SECONDS = 20.0


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until_gone(*processes: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline, [each for each in processes if is_alive(each)]
        time.sleep(0.01)


def test_a_script_that_is_cut_is_asked_to_end_first(logs: Path) -> None:
    with loaded(command("polite"), spec()) as trainer:
        curve(trainer, 2)

    (log,) = logs.iterdir()
    assert log.read_text().splitlines()[-1] == "saving"


def test_a_script_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    with loaded(command("deaf", grace=0.2), spec()) as trainer:
        (measured,) = curve(trainer, 1)
        before = time.monotonic()
        trainer.unload(0)
        took = time.monotonic() - before

    assert isinstance(measured, Measurement)
    assert not is_alive(int(measured.metrics["process"]))
    assert 0.2 <= took < 5


def test_what_a_script_has_started_ends_with_it() -> None:
    with loaded(command("parent", grace=0.2), spec()) as trainer:
        first, second = curve(trainer, 2)
        assert isinstance(first, Measurement)
        assert isinstance(second, Measurement)
        processes = int(first.metrics["child"]), int(second.metrics["process"])
        assert all(map(is_alive, processes))
        trainer.unload(0)

        assert not any(map(is_alive, processes))


WORKER = """
import sys
from tests.objectives.loops.scripts import advanced, command, loaded, spec
with loaded(command("parent", grace=0.2), spec(), spec()) as trainer:
    for _ in range(2):
        print(*[int(v) for m in advanced(trainer).values() for v in m[0].metrics.values() if v > 1], flush=True)
    sys.stdin.read()
"""
"""A worker whose trials have started processes of their own; it prints the ids of all, and waits."""


def test_no_process_outlives_a_worker_that_is_killed(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(TUNER_LOGS=str(tmp_path / "logs"), TMPDIR=str(tmp_path)),
    )
    assert worker.stdout is not None
    processes = [int(each) for _ in range(2) for each in worker.stdout.readline().split()]
    below = processes_below(worker.pid)
    assert len(processes) == 4
    assert set(processes) < below
    assert len(list(tmp_path.glob("tuner-trial-*"))) == 2

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()

    wait_until_gone(*below)
    assert list(tmp_path.glob("tuner-trial-*")) == []


def test_a_script_that_is_long_in_measuring_lets_its_worker_stop() -> None:
    with loaded(command("late"), spec()) as trainer:
        before = time.monotonic()
        nothing = trainer.advance()
        took = time.monotonic() - before

        assert nothing == {}
        assert took < 2.5
        assert [step for step, _ in errors(trainer, 3)] == [1, 2, 3]


def test_a_trial_goes_on_from_its_checkpoint_in_a_new_process_and_measures_nothing_twice() -> None:
    workload = command("slow", "{checkpoint}")
    with loaded(workload, spec()) as trainer:
        before = errors(trainer, 3)
        checkpoint = trainer.save(0)
    with closing(workload.trainer(8, lanes=1, device="cpu")) as trainer:
        trainer.load(0, spec(), checkpoint)
        after = errors(trainer, 4)
    with loaded(command(), spec()) as trainer:
        undisturbed = errors(trainer, 7)

    assert before + after == undisturbed


def test_what_was_printed_ahead_is_saved_with_the_checkpoint() -> None:
    workload = command("", "{checkpoint}")
    with loaded(workload, spec()) as trainer:
        before = errors(trainer, 1)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (checkpoint := trainer.save(0)).count(b"validation/error") < 100:  # it runs ahead meanwhile
            assert time.monotonic() < deadline
    with closing(workload.trainer(8, lanes=1, device="cpu")) as trainer:
        trainer.load(0, spec(), checkpoint)
        after = errors(trainer, 400)

    assert [step for step, _ in before + after] == list(range(1, 402))


def test_a_script_that_cannot_go_on_from_its_checkpoint_starts_again() -> None:
    workload = command("cannot resume", "{checkpoint}")
    with loaded(workload, spec()) as trainer:
        before = errors(trainer, 3)
        checkpoint = trainer.save(0)
    with closing(workload.trainer(8, lanes=1, device="cpu")) as trainer:
        trainer.load(0, spec(), checkpoint)
        after = errors(trainer, 3)

    assert [step for step, _ in before + after] == [1, 2, 3, 4, 5, 6]


def test_a_command_that_is_not_told_of_a_checkpoint_cannot_be_saved() -> None:
    with loaded(command(), spec()) as trainer, pytest.raises(NotImplementedError):
        trainer.save(0)


def test_the_log_holds_what_is_no_measurement(logs: Path) -> None:
    failure("silent")

    (log,) = logs.iterdir()
    first, *rest = log.read_text().splitlines()
    assert log.name.startswith("batch_size=8.seed=7.")
    assert first.startswith("$ ")
    assert first.endswith("script.py 0.5 8 7 silent")
    assert rest == ["epoch 1 {'step': 1}"]


def test_a_log_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TUNER_LOGS", str(tmp_path / "file" / "logs"))
    with loaded(command(), spec()) as trainer:
        assert len(errors(trainer, 2)) == 2

    assert "cannot be written: Not a directory" in caplog.text

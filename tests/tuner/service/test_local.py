"""Workers as processes: heard, stopped, and missed when they die."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import environment
from tests.toy import TOY
from tuner.experiment import parse
from tuner.recorders import Event, Notice, StudyFinished, StudyStarted, TrialFinished
from tuner.records import Role
from tuner.service.engine import STOPPING, Job
from tuner.service.local import Local
from tuner.service.signals import SIGNALS, Stop
from tuner.stores.opening import open_store

SLOW = parse(TOY.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\npause = 0.005'), source="toy.toml")


def run(
    folder: Path, *, workers: int | None, hear: Callable[[Event], None] = lambda event: None, device: str = "cpu"
) -> tuple[bool, list[Event]]:
    """A run of the toy, and everything that was said."""
    url = f"sqlite:///{folder / 'tuner.db'}"
    with closing(open_store(url)) as store:
        store.submit(SLOW)
    said: list[Event] = []

    def tell(event: Event) -> None:
        said.append(event)
        hear(event)

    return Local(workers).run(Job(SLOW, url, device), tell, stop=Stop()), said


FIRST_WORKER = """
import multiprocessing, re
from pathlib import Path
from tests.tuner.service.test_local import SLOW
from tuner.service.engine import Job
from tuner.service.local import Flag, _start

context = multiprocessing.get_context("spawn")
_, process = _start(context, Job(SLOW, "sqlite:///tuner.db", "cpu"), context.RawValue(Flag, False), name="worker 1")
print(re.search("SigBlk:(.*)", Path(f"/proc/{process.pid}/status").read_text())[1])
process.kill()
"""
"""Prints the signals that a process's first worker does not hear while it starts."""


def test_a_signal_waits_until_the_first_worker_can_handle_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FIRST_WORKER]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment())

    blocked = int(done.stdout, 16)
    assert all(blocked >> (number - 1) & 1 for number in SIGNALS)


def test_workers_share_the_studies_and_everything_they_say_arrives(tmp_path: Path) -> None:
    to_the_end, said = run(tmp_path, workers=2)

    assert to_the_end
    assert len({each.worker for each in said if isinstance(each, StudyStarted)}) == 2
    assert (
        sum(isinstance(each, TrialFinished) for each in said)
        == sum(len(each.study.finished(*Role)) for each in said if isinstance(each, StudyFinished))
        > 2 * 12
    )


def test_a_worker_that_is_killed_is_missed_and_the_others_go_on(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_the_first(event: Event) -> None:
        if isinstance(event, TrialFinished) and not killed:
            killed.append(int(workers[event.batch_size].rpartition("/")[2]))
            os.kill(killed[0], signal.SIGKILL)
        elif isinstance(event, StudyStarted):
            workers[event.study.batch_size] = event.worker

    workers: dict[int, str] = {}

    to_the_end, said = run(tmp_path, workers=2, hear=kill_the_first)

    assert to_the_end
    notices = [each.text for each in said if isinstance(each, Notice)]
    assert len(notices) == 1
    assert "died with exit code -9" in notices[0]
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        assert any(each.complete for each in store.record("toy").studies)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_workers_and_a_later_run_goes_on(tmp_path: Path, sign: signal.Signals) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, TrialFinished):
            os.kill(os.getpid(), sign)

    before = signal.getsignal(sign)
    to_the_end, said = run(tmp_path, workers=2, hear=stop)

    assert not to_the_end
    assert signal.getsignal(sign) is before
    assert sum(isinstance(each, Notice) for each in said) >= 1
    assert run(tmp_path, workers=2)[0]
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        for study in store.record("toy").studies:
            assert study.complete
            assert len(study.finished(Role.SEARCH)) == 12


@pytest.mark.parametrize("accelerators", [2], indirect=True)
@pytest.mark.usefixtures("accelerators")
def test_every_worker_has_an_accelerator_of_its_own(tmp_path: Path) -> None:
    run(tmp_path, workers=None, device="auto")

    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        devices = [{each.plan.device for each in study.trials} for study in store.record("toy").studies]
    assert sorted(map(sorted, devices)) == [["cuda:0"], ["cuda:1"]]


def test_a_signal_that_comes_while_something_is_told_holds_nothing_up(tmp_path: Path) -> None:
    telling = threading.Lock()

    def stop(event: Event) -> None:
        assert telling.acquire(timeout=20)
        if isinstance(event, TrialFinished):
            os.kill(os.getpid(), signal.SIGINT)
        telling.release()

    to_the_end, said = run(tmp_path, workers=2, hear=stop)

    assert not to_the_end
    assert STOPPING in said

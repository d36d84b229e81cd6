"""What never answers is waited for only so long, not in silence, and not by the end of a process."""

import math
import subprocess
import sys
import threading
import time

import pytest

from tuner.recorders.patience import NoAnswer, Patience, within

HANGING = """
import threading
from tuner.recorders.patience import NoAnswer, Patience
try:
    Patience(0.1).wait(threading.Event().wait, of="nobody")
except NoAnswer as error:
    print(error)
"""


def test_an_answer_is_passed_on() -> None:
    assert Patience(10).wait(lambda: 17, of="somebody") == 17


def test_an_error_is_passed_on_though_it_says_that_time_ran_out() -> None:
    def fail() -> None:
        raise TimeoutError("the socket's own")

    with pytest.raises(TimeoutError, match="the socket's own"):
        Patience(10).wait(fail, of="somebody")


def test_once_patience_has_ended_nothing_is_asked_any_more() -> None:
    patience = Patience(0.05)
    asked: list[str] = []
    with pytest.raises(NoAnswer, match=r"no answer within 0\.05 seconds"):
        patience.wait(threading.Event().wait, of="nobody")

    with pytest.raises(NoAnswer, match="given up a moment ago"):
        patience.wait(lambda: asked.append("again"), of="nobody")
    assert patience.has_ended
    assert asked == []


def test_answers_share_what_there_is_in_total() -> None:
    patience = Patience(10, total=0.3)
    began = time.monotonic()
    patience.wait(lambda: time.sleep(0.1), of="somebody")
    with pytest.raises(NoAnswer):
        patience.wait(threading.Event().wait, of="nobody")

    assert 0.2 < time.monotonic() - began < 2


def test_it_is_said_once_that_somebody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.recorders.patience.SAID_AFTER_SECONDS", 0.01)
    told: list[str] = []
    patience = Patience(30, tell=told.append)
    for _ in range(3):
        patience.wait(lambda: time.sleep(0.1), of="MLflow at a place")

    assert told == ["waiting for MLflow at a place, for 30 seconds at most"]


def test_a_process_ends_though_something_never_answers() -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "no answer within 0.1 seconds\n")
    assert time.monotonic() - began < 20


def test_what_ends_in_time_gives_its_answer_or_its_error() -> None:
    assert within(5, lambda: 3) == 3
    assert within(math.inf, threading.current_thread) is threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


def test_what_does_not_end_in_time_is_left_behind() -> None:
    never = threading.Event()

    with pytest.raises(NoAnswer):
        within(0.05, never.wait)

    never.set()

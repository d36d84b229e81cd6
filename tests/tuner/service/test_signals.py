"""A process that was told to end does so in time, whatever it waits for."""

import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands import environment, lives, processes_below
from tuner.service.signals import ECHO_SECONDS, GRACE_SECONDS, HURRY_SECONDS, Stop

AT_ONCE = 10.0
"""Three seconds, and some for a busy machine."""

BLOCKED = """
import sqlite3, sys
from tuner.service.signals import ending_in_time
with ending_in_time():
    holder, waiting = (sqlite3.connect("one.db", timeout=100, isolation_level=None) for _ in range(2))
    holder.execute("BEGIN IMMEDIATE")
    print("ready", flush=True)
    waiting.execute("BEGIN IMMEDIATE")
"""
"""Waits in C for a lock that it never gets: no handler of a signal runs, and Ctrl-C raises nothing."""

HANDLED = """
import signal, sqlite3, threading
from tuner.service import signals
signals.GRACE_SECONDS = 1.0
with signals.ending_in_time(), signals.handled_by(lambda *_: print("stopping", flush=True)):
    print("ready", flush=True)
    threading.Event().wait()
"""
"""Says that it stops, and does not."""

PARENT = """
import multiprocessing, threading, time
from tuner.service.signals import ending_in_time
if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=[100])
    with ending_in_time():
        child.start()
        print("ready", flush=True)
        try:
            threading.Event().wait()
        finally:
            threading.Event().wait()
"""
"""Cleans up for ever, and has a child."""

LEAVING = """
import sys, threading
from tuner.service.signals import ending_in_time
threading.Thread(target=threading.Event().wait).start()
with ending_in_time():
    try:
        print("ready", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        print("what was said last")
        sys.exit(7)
"""
"""Ends by itself, but has a thread that the interpreter would wait for."""


@contextmanager
def program(folder: Path, code: str) -> Iterator["subprocess.Popen[str]"]:
    """A program that is ready."""
    (folder / "program.py").write_text(code)
    command = [sys.executable, "program.py"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, text=True, env=environment(), **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("code", "number", "exit_code", "last"),
    [
        (BLOCKED, signal.SIGINT, 130, "interrupted\n"),
        (HANDLED, signal.SIGTERM, 130, "ended by force: what was waited for did not answer in time."),
        (PARENT, signal.SIGINT, 130, "interrupted\n"),
        (LEAVING, signal.SIGINT, 7, ""),
    ],
    ids=["blocked", "handled", "parent", "leaving"],
)
def test_it_ends_with_its_children_and_says_so_in_a_line(
    tmp_path: Path, code: str, number: int, exit_code: int, last: str
) -> None:
    with program(tmp_path, code) as process:
        below = processes_below(process.pid)
        process.send_signal(number)
        _, said = process.communicate(timeout=AT_ONCE)

    assert process.returncode == exit_code
    assert said.startswith(last)
    assert said.count("\n") <= 1
    assert not any(map(lives, below))


def test_a_second_signal_hurries_what_handles_the_first(tmp_path: Path) -> None:
    with program(tmp_path, HANDLED.replace("GRACE_SECONDS = 1.0", "GRACE_SECONDS = 100.0")) as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopping\n"
        time.sleep(1.1)  # one that follows sooner is the same one
        process.send_signal(signal.SIGINT)

        assert process.wait(AT_ONCE) == 130


def test_what_was_last_printed_is_not_lost(tmp_path: Path) -> None:
    with program(tmp_path, LEAVING) as process:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=AT_ONCE)

    assert said == "what was said last\n"


def test_a_stop_has_as_long_as_the_grace_period_and_a_second_request_shortens_it() -> None:
    stop = Stop()
    assert stop.left == math.inf

    stop.ask()
    stop.ask()  # an echo, as of launchers that send a signal to a process and to its group
    assert GRACE_SECONDS - 1 < stop.left <= GRACE_SECONDS
    assert not stop.is_hurried
    assert stop.asked is not None
    stop.asked -= 2 * ECHO_SECONDS
    stop.ask()
    assert stop.is_hurried
    assert stop.left <= HURRY_SECONDS

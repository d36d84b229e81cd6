"""Runs a command, and ends it when told to, or when whoever started it is gone: `guard.py GRACE FOLDER COMMAND...`.

A process that is killed cannot end those that it has started. This program sees its end by its standard input, which a
dying process closes. It runs without any package.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PDEATHSIG, SUBREAPER = 1, 36
"""Of Linux's `prctl`: the signal when the parent ends; to become the parent of processes whose own has ended."""
NOT_STARTED = 127
"""The exit code if there is no such program, as of a shell."""
SIGNALLED = 128
"""The exit code after a signal is this and its number, as of a shell."""


def guarded(command: Sequence[str], *, grace: float, folder: str = "") -> list[str]:
    """The command line that runs a command under this program; a byte or the end of its standard input ends it.

    Args:
        command: The program and its arguments.
        grace: Seconds from SIGTERM to SIGKILL.
        folder: Deleted, if the command did not end by itself; empty if there is none.
    """
    return [sys.executable, "-I", "-S", __file__, str(grace), folder, *command]


def main(grace: str, folder: str, *command: str) -> int:
    """Returns the exit code of the command.

    Args:
        grace: Seconds from SIGTERM to SIGKILL.
        folder: As of `guarded`.
        command: The program and its arguments.
    """
    on_linux = sys.platform == "linux"
    control = ctypes.CDLL(None).prctl if on_linux else None
    if control is not None:
        control(SUBREAPER, 1)
    try:
        child = subprocess.Popen(  # noqa: S603 - the command of the experiment's file, without a shell
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=None if control is None else lambda: control(PDEATHSIG, signal.SIGKILL),
        )
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return NOT_STARTED
    os.close(1)  # so that the worker sees the end of what the command prints
    told = threading.Event()
    threading.Thread(target=_wait_for_word, args=(child.pid, told), daemon=True).start()
    threading.Thread(target=_kill_later, args=(child.pid, told, float(grace)), daemon=True).start()
    code = child.wait()
    deadline = time.monotonic() + (float(grace) if told.is_set() else 0.0)
    while processes_below(os.getpid()) and time.monotonic() < deadline:
        time.sleep(0.01)
    _kill(child.pid)
    _forget_ended()
    if told.is_set() and folder:
        shutil.rmtree(folder, ignore_errors=True)
    return code if code >= 0 else SIGNALLED - code


def _wait_for_word(group: int, told: threading.Event) -> None:
    """Wait for a byte, or for the end, of standard input; then ask the command to end."""
    with suppress(OSError):
        os.read(0, 1)
    told.set()
    _signal(group, signal.SIGTERM)


def _kill_later(group: int, told: threading.Event, grace: float) -> None:
    """Kill the command some time after it was asked to end."""
    told.wait()
    time.sleep(grace)
    _kill(group)


def _kill(group: int) -> None:
    """Kill the command's process group, and whatever it has started in groups of their own."""
    _signal(group, signal.SIGKILL)
    while below := processes_below(os.getpid()):
        for each in below:
            with suppress(OSError):
                os.kill(each, signal.SIGKILL)
        time.sleep(0.01)


def _forget_ended() -> None:
    """Let processes that have ended go; this program has become their parent."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(OSError):  # it has ended
        os.killpg(group, number)


def processes_below(ancestor: int) -> set[int]:
    """The living processes that a process has started, and those that these have. Nothing where there is no `/proc`."""
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, *_ = each.read_text().rpartition(")")[2].split()
            if state not in "ZX":
                parents[int(each.parent.name)] = int(parent)
    found: set[int] = set()
    newest = {ancestor}
    while newest:
        newest = {child for child, parent in parents.items() if parent in newest}
        found |= newest
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Processes that decode images, one for each core: they end with this process, whatever ends it."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.data.entry.refusals import refused
from objectives.data.images import decoder

log = logging.getLogger(__name__)

AT_ONCE = 64
"""Images of a task."""
PATIENCE = 10.0
"""Seconds between two lines of progress."""

Job = tuple[str, int, bool]
"""The path of an image, its place, and whether its pixels are counted."""


def decode(jobs: Sequence[Job], *, file: Path, offset: int, side: int, what: str) -> NDArray[np.int64]:
    """Decode images into a file.

    Args:
        jobs: The images.
        file: The file, which is as long as all of them.
        offset: Its bytes before the first image.
        side: Height and width of a decoded image.
        what: What lines of progress call the images.

    Returns:
        How many pixels of the counted images have each level, `[channel, level]`.

    Raises:
        ConfigError: An image cannot be read, or the file cannot be written.
    """
    command = [sys.executable, "-P", decoder.__file__, str(file), str(offset), str(side)]
    tasks = _Tasks(jobs, what)
    many = max(1, min(_cores(), -(-len(jobs) // AT_ONCE)))
    with _started(command, many) as children, ThreadPoolExecutor(many) as pool:
        working = [pool.submit(tasks.hand_to, each) for each in children]
        try:
            wait(working, return_when=FIRST_EXCEPTION)
        finally:
            tasks.stop()  # if one has failed, the others end too
        counts: NDArray[np.int64] = np.sum([each.result() for each in working], axis=0)
        return counts


class _Tasks:
    """What is still to be decoded, as several threads take it."""

    def __init__(self, jobs: Sequence[Job], what: str) -> None:
        self._jobs, self._what = jobs, what
        self._taken, self._done, self._said = 0, 0, time.monotonic()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Give out no more."""
        with self._lock:
            self._taken = len(self._jobs)

    def hand_to(self, child: "subprocess.Popen[str]") -> NDArray[np.int64]:
        """Let a process do task after task. Returns what it counted. Raises `ConfigError`."""
        assert child.stdin is not None
        assert child.stdout is not None
        counts = np.zeros((decoder.CHANNELS, decoder.LEVELS), np.int64)
        while task := self._next():
            with suppress(BrokenPipeError):  # it has ended, and answers nothing
                child.stdin.write(f"{json.dumps(task)}\n")
                child.stdin.flush()
            line = child.stdout.readline()
            if not line:
                raise refused(f"the process that decodes {self._what} was ended (exit code {child.wait()})")
            answer = json.loads(line)
            if "failure" in answer:
                raise refused(answer["failure"])
            counts += answer["counts"]
            self._note(len(task))
        return counts

    def _next(self) -> Sequence[Job]:
        with self._lock:
            task = self._jobs[self._taken : self._taken + AT_ONCE]
            self._taken += len(task)
            return task

    def _note(self, many: int) -> None:
        """Say now and then how far all have come."""
        with self._lock:
            self._done += many
            if time.monotonic() - self._said >= PATIENCE:
                self._said = time.monotonic()
                # a warning, since it may take long and nothing else is seen of it
                log.warning("%s: %d of %d images are decoded", self._what, self._done, len(self._jobs))


@contextmanager
def _started(command: Sequence[str], many: int) -> Iterator[list["subprocess.Popen[str]"]]:
    """So many processes, which are gone at the end."""
    children: list[subprocess.Popen[str]] = []
    try:
        while len(children) < many:
            children.append(
                subprocess.Popen(  # noqa: S603 - this Python, and a program of ours
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    start_new_session=True,  # Ctrl-C is for this process
                )
            )
        yield children
    finally:
        for each in children:
            each.kill()
            with suppress(BrokenPipeError):
                each.communicate()


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

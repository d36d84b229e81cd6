"""The signals that ask a process to end: handlers that last as long as a context, and a process that ends in time.

The standard library sets handlers but does not restore them, and no small well-kept package does.
"""

import math
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 20.0
"""How long after a signal a process may go on. Kubernetes kills after 30 seconds, Docker after 10."""
WORKERS_SECONDS = 12.0
"""How long of it the workers of a run may go on with a chunk of training; the rest is for its report."""
HURRY_SECONDS = 3.0
"""How long a process may go on after a second signal, or if it does not handle signals at all."""
ECHO_SECONDS = 1.0
"""Signals that follow so soon are the same one: launchers send it to a process and to its group."""
WATCH = "signals"
"""The name of the thread that waits for signals, and does nothing else."""
BY_FORCE = (
    "ended by force: what was waited for did not answer in time. Finished trials are stored; `tuner report` makes a"
    " report that is missing, `tuner sync` adds what MLflow lacks"
)


@contextmanager
def handled_by(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within the context, this function handles SIGINT and SIGTERM."""
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class Stop:
    """Whether something was asked to stop, and how long it may still take.

    Attributes:
        asked: When, by `time.monotonic`; None if it was not.
        ends: By when it has to be over.
        is_hurried: Whether it was asked again, and not by an echo of the first time.
    """

    asked: float | None = None
    ends: float = math.inf
    is_hurried: bool = False

    def ask(self) -> None:
        """Ask to stop, or, if that was done a while ago, to hurry."""
        now = time.monotonic()
        if self.asked is None:
            self.asked, self.ends = now, now + GRACE_SECONDS
        elif now - self.asked > ECHO_SECONDS:
            self.is_hurried, self.ends = True, min(self.ends, now + HURRY_SECONDS)

    @property
    def left(self) -> float:
        """Seconds that are left; infinitely many if nobody has asked."""
        return max(0.0, self.ends - time.monotonic())

    @property
    def ends_workers(self) -> bool:
        """Whether workers are waited for no longer: the time that is left is for the report."""
        return self.left < GRACE_SECONDS - WORKERS_SECONDS


@contextmanager
def ending_in_time() -> Iterator[None]:
    """Within the context, this process ends in time once it has been sent SIGINT or SIGTERM.

    It ends by force, with its children, 20 seconds after a first signal, or three seconds after a second one or if
    nothing handles them. That holds whatever it waits for: signals are noticed by a thread, also while the main thread
    is in a call that does not return, where no handler runs. If it leaves the context in time, by `SystemExit`, it ends
    there and then: the interpreter would wait for threads that wait for something that does not answer.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watch = _Deadline(reader)
    threading.Thread(target=watch.run, name=WATCH, daemon=True).start()
    try:
        yield
    except SystemExit as end:
        if watch.has_heard:
            watch.end(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise
    finally:
        signal.set_wakeup_fd(before)


class _Deadline:
    """Ends this process by force when its time is over.

    Args:
        reader: From which the numbers of the signals that arrive can be read.
    """

    def __init__(self, reader: int) -> None:
        self._reader = reader
        self._first: float | None = None
        self._ends = math.inf
        self._is_handled = True
        self._one_at_a_time = threading.Lock()

    def run(self) -> None:
        """The thread."""
        while (left := self._ends - time.monotonic()) > 0:
            select.select([self._reader], [], [], left if math.isfinite(left) else None)
            self._listen()
        with suppress(OSError, ValueError):
            print(BY_FORCE if self._is_handled else "interrupted", file=sys.stderr)
        self.end(130)

    @property
    def has_heard(self) -> bool:
        """Whether a signal has come, just now perhaps."""
        self._listen()
        return self._first is not None

    def end(self, code: int) -> None:
        """End this process, and the processes that it has started."""
        for child in multiprocessing.active_children():
            child.kill()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # its reader has gone, or it is closed
                stream.flush()
        os._exit(code)

    def _listen(self) -> None:
        """Hear of the signals that have come."""
        with self._one_at_a_time, suppress(BlockingIOError):
            for number in os.read(self._reader, 100):
                if number in SIGNALS:
                    self._hear(number)

    def _hear(self, number: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self._is_handled = signal.getsignal(number) is not signal.default_int_handler
            # A second later than whoever handles it would end by himself.
            self._ends = now + (GRACE_SECONDS + 1 if self._is_handled else HURRY_SECONDS)
        elif now - self._first > ECHO_SECONDS:
            self._ends = min(self._ends, now + HURRY_SECONDS)

"""Waiting for what may never answer: only so long, and not in silence.

Libraries retry, obey what a server says about waiting, and hang in the resolver; their own timeouts bound single reads.
So what may hang is done on a thread of its own, which is left behind when patience ends. It is a daemon: a process ends
without it.
"""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

SAID_AFTER_SECONDS = 5.0
"""How long an answer may take before it is said that it is waited for."""
SAID_AGAIN_SECONDS = 60.0

T = TypeVar("T")


class NoAnswer(Exception):  # noqa: N818 - what happened, and no defect
    """Patience has ended."""


def silent(line: str) -> None:
    """Tells nobody."""


def begin(action: Callable[[], T]) -> "Future[T]":
    """Do something on a thread that nobody has to wait for, not even the end of the process."""
    future: Future[T] = Future()
    threading.Thread(target=_fulfil, args=(future, action), name="waited-for", daemon=True).start()
    return future


def answer(asked: "Future[T]", seconds: float) -> T:
    """What something that was begun returns or raises.

    Raises:
        NoAnswer: It takes longer; it goes on, and nobody hears of it.
    """
    try:
        return asked.result(timeout=max(0.0, seconds))
    except TimeoutError:
        if asked.done():  # the action raised it
            raise
        raise NoAnswer(f"no answer within {seconds:.3g} seconds") from None


def within(seconds: float, action: Callable[[], T]) -> T:
    """What an action returns or raises. Raises `NoAnswer` if it takes longer."""
    return action() if math.isinf(seconds) else answer(begin(action), seconds)


class Patience:
    """Waits for the answers of one server, in turn. Once it has ended, nothing is waited for any more.

    Args:
        seconds: How long for one answer.
        total: How long for all together; by default, as long as there are answers.
        tell: Is given a line when an answer takes long.
    """

    def __init__(self, seconds: float, *, total: float = math.inf, tell: Callable[[str], None] = silent) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + total
        self._tell = tell
        self._said = -math.inf
        self.has_ended = False

    def wait(self, action: Callable[[], T], *, of: str, longer: float = 0.0) -> T:
        """What an action returns or raises.

        Args:
            action: Asks, and waits for the answer.
            of: Who is asked, for people.
            longer: Seconds that this answer may take beyond the usual, because much is sent.

        Raises:
            NoAnswer: There is none in time.
        """
        seconds = min(self._seconds + longer, max(0.0, self._end - time.monotonic()))
        if self.has_ended or seconds == 0:
            raise NoAnswer("it was given up a moment ago")
        asked = begin(action)
        try:
            return answer(asked, min(seconds, SAID_AFTER_SECONDS))
        except NoAnswer:
            if seconds > SAID_AFTER_SECONDS:
                self._say(f"waiting for {of}, for {seconds:g} seconds at most")
        try:
            return answer(asked, seconds - SAID_AFTER_SECONDS)
        except NoAnswer:
            self.has_ended = True
            raise NoAnswer(f"no answer within {seconds:.3g} seconds") from None

    def _say(self, line: str) -> None:
        if time.monotonic() - self._said > SAID_AGAIN_SECONDS:
            self._said = time.monotonic()
            self._tell(line)


def _fulfil(future: "Future[T]", action: Callable[[], T]) -> None:
    """The thread: what an action returns or raises becomes the answer."""
    try:
        future.set_result(action())
    except BaseException as error:
        future.set_exception(error)

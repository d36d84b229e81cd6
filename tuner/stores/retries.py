"""Trying again while a store does not answer: for minutes, less and less often, and never all workers at once."""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from tuner.errors import StoreUnreachable

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
"""How long a store may be away before a worker gives up: a restart takes seconds, a failover minutes."""
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0
SLICE_SECONDS = 0.2

Returned = TypeVar("Returned")
Given = ParamSpec("Given")


def retry(action: Callable[[], Returned], *, give_up: Callable[[], bool] = lambda: False) -> Returned:
    """Do something with a store until it answers. What is done must bear being done twice.

    Between two attempts passes half to all of a time that doubles up to ten seconds ("equal jitter").

    Args:
        action: What to do.
        give_up: Whether to wait no longer; asked often.

    Raises:
        StoreUnreachable: It did not answer for ten minutes, or we gave up.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            return action()
        except StoreUnreachable as error:
            if give_up() or time.monotonic() >= deadline:
                raise
            if wait == FIRST_WAIT_SECONDS:
                log.warning("%s; trying again for %g minutes", error, PATIENCE_SECONDS / 60)
        _sleep(random.uniform(wait / 2, wait), give_up)  # noqa: S311 - no secret
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def patient(write: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """A function that does the same, but tries again as `retry` does."""

    @wraps(write)
    def patiently(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        return retry(lambda: write(*args, **kwargs))

    return patiently


def _sleep(seconds: float, give_up: Callable[[], bool]) -> None:
    """Sleep, unless there is nothing to wait for any more."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not give_up():
        time.sleep(min(left, SLICE_SECONDS))

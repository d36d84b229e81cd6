"""Trying again while a store does not answer: for minutes, less and less often, and never all workers at once.

tenacity does it. The sleep is our own, because a worker that is told to stop must not sleep for ten seconds first.
"""

import logging
import random
import time
from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from tuner.errors import StoreUnreachable

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
"""How long a store may be away before a worker gives up: a restart takes seconds, a failover minutes."""
LONGEST_WAITS = wait_exponential(multiplier=0.2, max=10.0)
"""The longest that may pass before each attempt: from 0.2 to 10 seconds."""
PATIENCE = stop_after_delay(PATIENCE_SECONDS)
SLICE_SECONDS = 0.2
"""How soon a waiting worker answers to `give_up`."""

Returned = TypeVar("Returned")
Given = ParamSpec("Given")


def retry(action: Callable[[], Returned], *, give_up: Callable[[], bool] = lambda: False) -> Returned:
    """Do something with a store until the store answers. The action must bear being done twice.

    The wait before each attempt is drawn between half of a time and all of it ("equal jitter"). The time doubles with
    every attempt, up to ten seconds.

    Args:
        action: What to do.
        give_up: Whether to wait no longer; asked often.

    Raises:
        StoreUnreachable: The store did not answer for ten minutes, or `give_up` said so.
    """
    return Retrying(
        retry=retry_if_exception_type(StoreUnreachable),
        stop=lambda attempt: give_up() or PATIENCE(attempt),
        wait=_wait,
        sleep=partial(_sleep, give_up=give_up),
        before_sleep=_warn_once,
        reraise=True,
    )(action)


def patient(write: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """A function that does the same, but tries again as `retry` does."""

    @wraps(write)
    def patiently(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        return retry(lambda: write(*args, **kwargs))

    return patiently


def _wait(attempt: RetryCallState) -> float:
    """Seconds before the next attempt."""
    return random.uniform(0.5, 1) * LONGEST_WAITS(attempt)  # noqa: S311 - no secret


def _warn_once(attempt: RetryCallState) -> None:
    if attempt.attempt_number == 1 and attempt.outcome is not None:
        log.warning("%s; trying again for %g minutes", attempt.outcome.exception(), PATIENCE_SECONDS / 60)


def _sleep(seconds: float, *, give_up: Callable[[], bool]) -> None:
    """Sleep, unless there is nothing to wait for any more."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not give_up():
        time.sleep(min(left, SLICE_SECONDS))

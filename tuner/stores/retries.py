"""Trying again while a store does not answer: for minutes, less and less often, and never all workers at once.

tenacity counts and decides. The sleep is our own, because a worker that is told to stop must not sleep for ten seconds
first.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay

from tuner.errors import StoreUnreachable

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
"""How long a store may be away before a worker gives up: a restart takes seconds, a failover minutes."""
SHORTEST_WAIT, LONGEST_WAIT = 0.2, 10.0
"""How many seconds may pass at the most before the second attempt, and before any."""
PATIENCE = stop_after_delay(PATIENCE_SECONDS)
SLICE_SECONDS = 0.2
"""How soon a waiting worker answers to `give_up`."""
REMINDER_SECONDS = 60.0
"""How long a state lasts before it is told of again. The time doubles with every reminder, up to the patience."""

Returned = TypeVar("Returned")
Given = ParamSpec("Given")


def never() -> bool:
    """Nobody gives up."""
    return False


@dataclass(slots=True)
class Reminder:
    """Says when it is time to tell again of a state that lasts: after a minute, then after twice as long each time.

    Attributes:
        most: The longest time between two reminders, in seconds.
        clock: Counts seconds.
        since: When the state began; None if it does not hold.
    """

    most: float = PATIENCE_SECONDS
    clock: Callable[[], float] = field(default_factory=lambda: time.monotonic)
    since: float | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)
    _step: float = field(default=0.0, init=False)

    def begin(self) -> None:
        """The state begins, if it does not hold already."""
        if self.since is None:
            self.since, self._step = self.clock(), REMINDER_SECONDS
            self._due = self.since + self._step

    def end(self) -> None:
        """The state does not hold any more."""
        self.since = None

    def is_due(self) -> bool:
        """Whether to tell of it now; the next time is later then."""
        if self.since is None or self.clock() < self._due:
            return False
        self._step = min(2 * self._step, self.most)
        self._due = self.clock() + self._step
        return True

    @property
    def lasted(self) -> float:
        """How long the state has lasted, in seconds."""
        return 0.0 if self.since is None else self.clock() - self.since


class Patience:
    """Tries again what a store has not answered, and tells of it: when it begins, when it lasts, and when it is over.

    One line tells that the store does not answer, however many ask it meanwhile. Safe to use from any thread.

    Args:
        give_up: Whether to wait no longer; asked often.
        tell: Given the lines for a person, from any thread; by default they are logged.
    """

    def __init__(self, give_up: Callable[[], bool] = never, *, tell: Callable[[str], None] = log.warning) -> None:
        self.give_up, self._tell = give_up, tell
        self._one_at_a_time = threading.Lock()
        self._reminder = Reminder()

    def retry(self, action: Callable[[], Returned]) -> Returned:
        """Do something with a store until the store answers. The action must bear being done twice.

        Raises:
            StoreUnreachable: The store did not answer for ten minutes, or `give_up` said so.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            stop=lambda attempt: self.give_up() or PATIENCE(attempt),
            wait=lambda attempt: pause(attempt.attempt_number),
            sleep=partial(sleep, give_up=self.give_up),
            before_sleep=self._fail,
            reraise=True,
        )
        answer = attempts(action)
        if attempts.statistics.get("attempt_number", 1) > 1:
            self.succeed()
        return answer

    def fail(self, error: StoreUnreachable) -> None:
        """The store has not answered. Says so, unless it was said already and no reminder is due."""
        with self._one_at_a_time:
            if self._reminder.since is None:
                self._reminder.begin()
                self._tell(f"{error}; trying again, less and less often")
            elif self._reminder.is_due():
                self._tell(f"still, after {_duration(self._reminder.lasted)}: {error}")

    def succeed(self) -> None:
        """What had failed was answered. Says that it is over, if it was said that it had begun."""
        with self._one_at_a_time:
            if self._reminder.since is not None:
                self._tell(f"the store answers again, after {_duration(self._reminder.lasted)}")
            self._reminder.end()

    def _fail(self, attempt: RetryCallState) -> None:
        error = attempt.outcome and attempt.outcome.exception()
        if isinstance(error, StoreUnreachable):
            self.fail(error)


class Patient(Protocol):
    """Whoever has patience with a store."""

    @property
    def patience(self) -> Patience: ...


Owner = TypeVar("Owner", bound=Patient)


def patient(
    write: Callable[Concatenate[Owner, Given], Returned],
) -> Callable[Concatenate[Owner, Given], Returned]:
    """A method that does the same, but tries again as its owner's patience says."""

    @wraps(write)
    def patiently(owner: Owner, /, *args: Given.args, **kwargs: Given.kwargs) -> Returned:
        return owner.patience.retry(lambda: write(owner, *args, **kwargs))

    return patiently


def pause(attempts: int) -> float:
    """Seconds to wait after so many attempts that failed: the one pace of everything that is tried again.

    They are drawn between half of a time and all of it ("equal jitter"). The time doubles with every attempt, up to ten
    seconds.
    """
    return growing(attempts, first=SHORTEST_WAIT, most=LONGEST_WAIT)


def growing(attempts: int, *, first: float, most: float) -> float:
    """A time that doubles with every attempt, from `first` to `most`, or as little as half of it, by chance."""
    longest = min(most, first * 2.0 ** min(attempts - 1, 30))
    return random.uniform(0.5, 1) * longest  # noqa: S311 - no secret


def sleep(seconds: float, *, give_up: Callable[[], bool] = never) -> None:
    """Sleep, unless there is nothing to wait for any more."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not give_up():
        time.sleep(min(left, SLICE_SECONDS))


def _duration(seconds: float) -> str:
    """How long something has lasted, for a person.

    >>> _duration(25.3), _duration(150)
    ('25 s', '2 min 30 s')
    """
    minutes, rest = divmod(max(1, round(seconds)), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

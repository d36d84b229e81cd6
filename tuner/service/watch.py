"""What a worker watches: which studies are open, which it leaves alone, and whether its claim still holds."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores import Claim, Listener, OpenStudy, Store
from tuner.stores.retries import growing, pause

SLICE_SECONDS = 0.25
"""How soon a waiting worker answers to a signal, and a watch to its end."""
JOIN_SECONDS = 1.0
"""How long the end of a watch is waited for: it may wait for an answer that never comes."""
FIRST_REST, LONGEST_REST = 60.0, 1800.0
"""How long a study is left alone after a first error that lasts, and after many, in seconds."""
REASONS_SHOWN = 3

Key = tuple[str, int]
"""A study: its experiment and its batch size."""


class Watch:
    """Reads the store when a change is announced, and every few seconds.

    It reads in a thread of its own, so that training never waits for the store. While the store does not answer, the
    last answer stands.

    Args:
        store: Where changes are announced.
        open_studies: Reads the studies there is work on.
    """

    def __init__(self, store: Store, open_studies: Callable[[], Sequence[OpenStudy]]) -> None:
        self._store = store
        self._open_studies = open_studies
        self._reading = threading.Lock()
        self._studies: Sequence[OpenStudy] = ()
        self._open: frozenset[tuple[str, int]] = frozenset()
        self._kept: Claim | None = None
        self._is_lost = False
        self._news = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(JOIN_SECONDS)

    def read(self) -> Sequence[OpenStudy]:
        """The open studies as the store has them now. Raises `StoreError`."""
        with self._reading:  # so that what was read last is what was last stored
            self._studies = self._open_studies()
            self._open = frozenset((each.experiment, each.batch_size) for each in self._studies)
            return self._studies

    def wait(self, *, until: Callable[[], bool]) -> Sequence[OpenStudy]:
        """Wait until the store has been read again, or until a condition holds.

        Returns:
            The open studies as they were read last.
        """
        while not (self._news.wait(SLICE_SECONDS) or until()):
            pass
        self._news.clear()
        return self._studies

    @contextmanager
    def keeping(self, claim: Claim) -> Iterator[None]:
        """Within the context, the claim is taken again when its connection breaks, before another worker takes it."""
        self._is_lost = False
        self._kept = claim
        try:
            yield
        finally:
            self._kept = None

    def lets_go(self, experiment: str, batch_size: int) -> bool:
        """Whether the claim of this study is lost, or has to be handed back."""
        return self._is_lost or (experiment, batch_size) not in self._open

    def _run(self) -> None:
        """The thread: looks, and listens, until the end."""
        failures = 0
        while not self._ended.is_set():
            try:
                with self._store.listen() as listener:
                    failures = 0
                    self._look_and_listen(listener)
            except StoreError:  # all that the worker does with the store says so too, and to people
                self._check_kept()
                failures += 1
                self._ended.wait(pause(failures))

    def _look_and_listen(self, listener: Listener) -> None:
        while not self._ended.is_set():
            self._check_kept()
            self.read()
            self._news.set()
            waited = 0.0
            patience = listener.poll_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - workers should not look at once
            while waited < patience and not self._ended.is_set():
                if listener.wait(min(SLICE_SECONDS, listener.poll_seconds)):
                    break
                waited += SLICE_SECONDS

    def _check_kept(self) -> None:
        claim = self._kept
        if claim is None:
            return
        try:
            claim.check()
        except StoreUnreachable:
            return
        except StoreError:
            self._is_lost = self._kept is claim


@dataclass(frozen=True, slots=True)
class Rest:
    """How long a study is left alone, and why.

    Attributes:
        failures: How often in a row it has failed.
        seconds: For how long it is left alone.
        until: By the clock.
        passes: Whether the error may be over soon. A worker that is to end when nothing is left waits for it then.
    """

    failures: int
    seconds: float
    until: float
    reason: str
    passes: bool


@dataclass(slots=True)
class LeftAlone:
    """The studies that a worker leaves alone for now, each for longer after every failure, and none for ever.

    Attributes:
        clock: Counts seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _rests: dict[Key, Rest] = field(default_factory=dict, init=False)

    def leave(self, studies: Iterable[Key], reason: str, *, passes: bool) -> None:
        """Leave studies alone, all for as long: for seconds if the error passes, else for a minute to half an hour."""
        studies, now = list(studies), self.clock()
        failures = 1 + max(self._failures(each, now, passes=passes) for each in studies)
        seconds = pause(failures) if passes else growing(failures, first=FIRST_REST, most=LONGEST_REST)
        self._rests |= dict.fromkeys(studies, Rest(failures, seconds, now + seconds, reason, passes))

    def forget(self, studies: Iterable[Key]) -> None:
        """These have gone well."""
        for each in studies:
            self._rests.pop(each, None)

    def _failures(self, study: Key, now: float, *, passes: bool) -> int:
        """How often in a row a study has failed in this way."""
        before = self._rests.get(study)
        if before is None or before.passes != passes:
            return 0
        # Work that went well for longer than the study had been left alone begins the count anew.
        return before.failures if now - before.until <= max(before.seconds, FIRST_REST) else 0

    def has(self, study: Key) -> bool:
        """Whether a study is left alone now."""
        return study in self._rests and self.clock() < self._rests[study].until

    def has_given_up(self, study: Key) -> bool:
        """Whether it is left alone now because of an error that lasts."""
        return self.has(study) and not self._rests[study].passes

    def is_any_passing(self, studies: Iterable[OpenStudy]) -> bool:
        """Whether one of these was left alone because of an error that may be over soon."""
        found = (self._rests.get((each.experiment, each.batch_size)) for each in studies)
        return any(each is not None and each.passes for each in found)

    def is_any_due(self, studies: Iterable[OpenStudy]) -> bool:
        """Whether one of these that was left alone, and that is free, may be tried again."""
        found = ((each.experiment, each.batch_size) for each in studies if each.is_free and not each.waits_for)
        return any(each in self._rests and not self.has(each) for each in found)

    def sentence(self, study: Key) -> str:
        """How long a study is left alone: until a time of day."""
        left = max(0.0, self._rests[study].until - self.clock())
        return f"left alone until {datetime.now(UTC).astimezone() + timedelta(seconds=left):%H:%M}"

    def idle_sentence(self, studies: Sequence[OpenStudy]) -> str:
        """Why a worker can go on with none of these."""
        keys = [(each.experiment, each.batch_size) for each in studies]
        alone = [each for each in keys if self.has(each)]
        why = [
            f"{name} batch size {size} is {self.sentence((name, size))} ({self._rests[name, size].reason})"
            for name, size in alone[:REASONS_SHOWN]
        ]
        if more := len(alone) - len(why):
            why.append(f"{more} more {'is' if more == 1 else 'are'} left alone")
        if waiting := len(keys) - len(alone):
            why.append(f"{waiting} wait{'s' * (waiting == 1)} for those")
        are = "1 study is" if len(keys) == 1 else f"{len(keys)} studies are"
        return f"{are} open, and this worker can go on with none: {'; '.join(why)}"

"""What a worker watches: which studies are open, and whether its claim still holds."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from tuner.errors import StoreError, StoreUnreachable
from tuner.stores import Claim, Listener, OpenStudy, Store

SLICE_SECONDS = 0.25
"""How soon a waiting worker answers to a signal, and a watch to its end."""
REST_SECONDS = 5.0
"""How long a watch leaves a store alone that does not answer."""


class Watch:
    """Reads the store when a change is announced, and every few seconds.

    It reads in a thread of its own, so that training never waits for the store. While the store does not answer, the
    last answer stands.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
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
        self._thread.join(REST_SECONDS)  # it may wait for an answer that never comes

    def read(self) -> Sequence[OpenStudy]:
        """The open studies as the store has them now. Raises `StoreError`."""
        with self._reading:  # so that what was read last is what was last stored
            self._studies = self._store.open_studies()
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
        while not self._ended.is_set():
            try:
                with self._store.listen() as listener:
                    self._look_and_listen(listener)
            except StoreError:  # all that the worker does with the store says so too, and to people
                self._check_kept()
                self._ended.wait(random.uniform(0.2, 1) * REST_SECONDS)  # noqa: S311 - no secret

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

"""Prefetch: suggestions and bookkeeping on a thread of their own, in an order fixed by counting.

Storing a result, telling the sampler and asking it for the next point take longer than training a small network for
a hundred steps. They are done here while the lanes train. One thread works through one queue: with `depth` points in
flight, ask `n` comes right after the sampler was told of `n - depth + 1` results, however long anything takes. That
makes a search the same every time it is run.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from tuner.search.loop import Trial
from tuner.trial import TrialResult


class Prefetch(Iterator[Trial]):
    """The trials of a search, each made some time before it is needed.

    Args:
        ask: Makes the next trial and stores it as running; called once per trial, on the thread.
        tell: Stores a result and tells the sampler; called on the thread.
        drop: Stores that a trial handed out or made ahead will not be finished, because of an error if there is one;
            called on leaving.
        count: How many trials to make.
        depth: How many are in flight at once, made ahead or in training.
    """

    def __init__(
        self,
        *,
        ask: Callable[[], Trial],
        tell: Callable[[Trial, TrialResult], None],
        drop: Callable[[Trial, BaseException | None], None],
        count: int,
        depth: int,
    ) -> None:
        self._ask, self._tell, self._drop = ask, tell, drop
        self._unasked = count
        self._ready: deque[Future[Trial]] = deque()
        self._telling: deque[Future[None]] = deque()
        self._training: dict[int, Trial] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        for _ in range(depth):
            self._ask_one()

    def __next__(self) -> Trial:
        """The next trial to train; waits for it if it is still being made.

        Raises:
            StopIteration: All trials have been handed out.
        """
        self._raise_failures()
        if not self._ready:
            raise StopIteration
        trial = self._ready.popleft().result()
        self._training[trial.number] = trial
        return trial

    def settle(self, trial: Trial, result: TrialResult) -> None:
        """A trial has ended. Returns at once; errors of the thread are raised at the next call."""
        self._raise_failures()
        del self._training[trial.number]
        self._telling.append(self._thread.submit(self._tell, trial, result))
        self._ask_one()

    def __enter__(self) -> "Prefetch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store what has been settled, and drop what has not."""
        for each in self._ready:
            each.cancel()
        self._thread.shutdown(wait=True)
        made = (each.result() for each in self._ready if not each.cancelled() and each.exception() is None)
        for trial in [*self._training.values(), *made]:
            self._drop(trial, error)
        if error is None:
            self._raise_failures()

    def _ask_one(self) -> None:
        if self._unasked > 0:
            self._unasked -= 1
            self._ready.append(self._thread.submit(self._ask))

    def _raise_failures(self) -> None:
        """Raise what went wrong on the thread, and forget what went well."""
        while self._telling and self._telling[0].done():
            self._telling.popleft().result()

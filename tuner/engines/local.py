"""Workers as processes on this machine, one study each at a time."""

import logging
import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Flag
from types import FrameType

from tuner.engines import Job
from tuner.recorders import Event, Notice
from tuner.stores.opening import open_store
from tuner.worker import Worker

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
GRACE_SECONDS = 30
"""How long workers may take to hand back what they hold."""


def default_workers() -> int:
    """As many as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Local:
    """Worker processes on this machine, each with one torch thread unless `OMP_NUM_THREADS` says otherwise.

    More threads than cores make small networks several times slower, so parallelism is left to workers and lanes.
    """

    workers: int

    def run(self, job: Job, tell: Callable[[Event], None]) -> bool:
        """See `Engine.run`. A second signal ends the workers at once; what they finished is stored all the same."""
        context = multiprocessing.get_context("spawn")
        events: Queue[Event] = context.Queue()
        stop = context.Event()
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(variable, "1")
        count = min(self.workers, len(job.experiment.batch_sizes))
        processes = [context.Process(target=_work, args=(job, events, stop)) for _ in range(count)]
        with _signals(stop, processes, tell):
            for process in processes:
                process.start()
            while any(process.is_alive() for process in processes):
                _pass_on(events, tell)
            for process in processes:
                process.join()
            _pass_on(events, tell)
        for process in processes:
            if process.exitcode and not stop.is_set():
                tell(Notice(f"{process.name} died with exit code {process.exitcode}; its study can be resumed"))
        return not stop.is_set()


def _pass_on(events: "Queue[Event]", tell: Callable[[Event], None]) -> None:
    """Tell of the events that have arrived; wait a moment for the first."""
    try:
        tell(events.get(timeout=POLL_SECONDS))
        while True:
            tell(events.get_nowait())
    except queue.Empty:
        return


@contextmanager
def _signals(stop: Flag, processes: list[SpawnProcess], tell: Callable[[Event], None]) -> Iterator[None]:
    """Within it, SIGINT and SIGTERM ask the workers to stop; the second time they kill them."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            tell(Notice("stopping: finished trials are stored, the others will be trained again; once more to hurry"))
        else:
            for process in processes:
                process.kill()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(job: Job, events: "Queue[Event]", stop: Flag) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    name = f"{os.uname().nodename}/{os.getpid()}"
    store = open_store(job.store_url)
    try:
        Worker(
            name=name,
            experiment=job.experiment,
            objective=job.experiment.build_objective(),
            store=store,
            device=job.device,
            emit=events.put,
            stopping=lambda: stop.is_set() or _orphaned(),
        ).run()
    finally:
        store.close()


def _orphaned() -> bool:
    """Whether the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()

"""Workers as processes on this machine, one study each at a time."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event as Flag
from types import FrameType
from typing import cast

from tuner.cores import accelerators, devices, processes
from tuner.engines import STOPPING, Job
from tuner.errors import TunerError
from tuner.recorders import Event, Notice
from tuner.signals import SIGNALS, handled_by
from tuner.stores.opening import open_store
from tuner.worker import Worker, this_process


@dataclass(frozen=True, slots=True)
class Local:
    """Worker processes on this machine, each with one torch thread.

    Attributes:
        workers: How many; by default one an accelerator, or one a core if there is none or another device is wanted.
    """

    workers: int | None = None

    def run(self, job: Job, tell: Callable[[Event], None]) -> bool:
        """See `Engine.run`. A second signal ends the workers at once; what they finished is stored all the same."""
        stop = processes().Event()
        workers: dict[Connection, BaseProcess] = {}
        with _signals(stop, workers, tell):
            everywhere = devices(job.device, workers=self.workers, accelerators=accelerators())
            for device in everywhere[: len(job.experiment.batch_sizes)]:
                reader, process = _start(replace(job, device=device), stop)
                workers[reader] = process
            while workers:
                for reader in cast(list[Connection], wait(list(workers))):
                    try:
                        tell(reader.recv())
                    except (EOFError, OSError):  # it has ended, perhaps in the middle of a word
                        _bury(workers.pop(reader), tell, expected=stop.is_set())
                        reader.close()
        return not stop.is_set()


def _start(job: Job, stop: Flag) -> tuple[Connection, BaseProcess]:
    """A worker process, and where its events come from.

    Each has a pipe of its own: one that dies in the middle of an event cannot hold up the others.
    """
    context = processes()
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, dict(os.environ), writer, stop))
    # Ctrl-C reaches the whole group. A worker inherits this mask, and lifts it when it knows what to do about signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    writer.close()
    return reader, process


def _bury(process: BaseProcess, tell: Callable[[Event], None], *, expected: bool) -> None:
    """Say so if a worker did not end by itself."""
    process.join()
    if process.exitcode and not expected:
        tell(Notice(f"{process.name} died with exit code {process.exitcode}; its study can be gone on with"))


@contextmanager
def _signals(stop: Flag, workers: dict[Connection, BaseProcess], tell: Callable[[Event], None]) -> Iterator[None]:
    """Within it, SIGINT and SIGTERM ask the workers to stop; the second time they kill them."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            tell(STOPPING)
        else:
            for process in workers.values():
                process.kill()

    with handled_by(handle):
        yield


def _work(job: Job, environment: Mapping[str, str], events: Connection, stop: Flag) -> None:
    """The life of a worker process, in the environment of the one that wants it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.environ.clear()
    os.environ.update(environment)
    one_at_a_time = threading.Lock()

    def emit(event: Event) -> None:
        with one_at_a_time:
            events.send(event)

    try:
        with closing(open_store(job.store_url)) as store:
            Worker(
                name=this_process(),
                store=store,
                device=job.device,
                recording=lambda _: nullcontext(emit),
                tell=emit,
                stopping=lambda: stop.is_set() or _orphaned(),
                only=job.experiment.name,
                once=True,
                checkpoints=job.checkpoints,
            ).run()
    except TunerError as error:
        emit(Notice(f"a worker cannot go on: {error}"))
        raise SystemExit(1) from error


def _orphaned() -> bool:
    """Whether the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()

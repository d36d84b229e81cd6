"""The local engine: workers are processes on this machine, and each searches one study at a time."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType
from typing import cast

from tuner.errors import TunerError
from tuner.recorders import Event, Notice
from tuner.service.cores import devices_of_workers
from tuner.service.engine import KILLED, STOPPING, Job
from tuner.service.signals import GRACE_SECONDS, SIGNALS, Stop, handled_by
from tuner.service.worker import Worker, this_process
from tuner.stores.opening import open_store

SCRIPT = "__main__:"
"""Begins the kind of a component that is defined in the script itself. Workers import the script then."""
Flag = ctypes.c_bool
"""In memory that processes share, without a lock: one that is killed while it looks must not keep it."""
LOOK_SECONDS = 0.5
"""How often it is seen whether workers that were asked to stop have had their time."""


@dataclass(frozen=True, slots=True)
class Local:
    """Worker processes on this machine, each with one torch thread.

    Attributes:
        workers: How many are wanted; by default one an accelerator, or one a core.
    """

    workers: int | None = None

    def run(self, job: Job, tell: Callable[[Event], None], *, stop: Stop) -> bool:
        """See `Engine.run`. A second signal ends the workers at once; what they finished is stored all the same.

        Raises:
            TunerError: There is no such device.
        """
        devices = devices_of_workers(job.device, workers=self.workers)
        if self.workers is not None and len(devices) < self.workers:
            tell(Notice(f"{len(devices)} workers are started, one a core: more would slow one another down"))
        devices = devices[: len(job.experiment.batch_sizes)]
        context = multiprocessing.get_context("spawn")
        flag = context.RawValue(Flag, False)
        processes: dict[Connection, SpawnProcess] = {}
        has_told = False
        with _signals(stop, flag, processes):
            for number, device in enumerate(devices, start=1):
                reader, process = _start(context, replace(job, device=device), flag, name=f"worker {number}")
                processes[reader] = process
            while processes:
                for reader in cast(list[Connection], wait(list(processes), LOOK_SECONDS)):
                    try:
                        tell(reader.recv())
                    except (EOFError, OSError):  # it has ended, perhaps in the middle of a word
                        _tell_of_death(processes.pop(reader), tell, expected=flag.value)
                        reader.close()
                if flag.value and not has_told:
                    has_told = True
                    tell(STOPPING)
                if processes and stop.ends_workers:
                    _kill(processes)
                    tell(KILLED)
                    break
        return not flag.value


def refuse_interactive_code(objective: Mapping[str, object]) -> None:
    """Refuse a workload that is defined in a notebook or an interactive session, whose code no worker can import.

    Raises:
        TunerError: It is.
    """
    if SCRIPT in str(objective) and getattr(sys.modules["__main__"], "__file__", None) is None:
        message = f'what is named "{SCRIPT}..." is defined in this session, from which workers cannot import it'
        advice = 'write it to a file (in a notebook: %%writefile my_lab.py) and name it "my_lab:..."'
        raise TunerError(f"{message}; {advice}")


def _start(context: SpawnContext, job: Job, stop: Flag, *, name: str) -> tuple[Connection, SpawnProcess]:
    """Start a worker process. Returns the pipe of its events, and the process.

    Each process has a pipe of its own, so that a process that dies in the middle of an event holds up no other.
    """
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, name=name, args=(job, writer, stop))
    resource_tracker.ensure_running()  # which, when it starts, would lift the mask below before the worker has it
    # Ctrl-C reaches the whole group. A worker inherits this mask, and lifts it when it knows what to do about signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        with nullcontext() if SCRIPT in str(job.experiment.objective) else _script_hidden():
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    writer.close()
    return reader, process


@contextmanager
def _script_hidden() -> Iterator[None]:
    """Within it, a process that is started does not import the script that this one runs.

    A worker needs nothing of it, and a script that calls `tuner.run` outside `if __name__ == "__main__"` would start
    workers of its own in every worker.
    """
    script = sys.modules["__main__"]
    hidden = {name: getattr(script, name) for name in ("__file__", "__spec__") if hasattr(script, name)}
    try:
        for name in hidden:
            setattr(script, name, None)
        yield
    finally:
        for name, value in hidden.items():
            setattr(script, name, value)


def _tell_of_death(process: SpawnProcess, tell: Callable[[Event], None], *, expected: bool) -> None:
    """Tell of a worker that did not end by itself."""
    process.join()
    if process.exitcode and not expected:
        tell(Notice(f"{process.name} died with exit code {process.exitcode}; its study can be gone on with"))


def _kill(processes: Mapping[Connection, SpawnProcess]) -> None:
    for process in processes.values():
        process.kill()


@contextmanager
def _signals(stop: Stop, flag: Flag, processes: dict[Connection, SpawnProcess]) -> Iterator[None]:
    """Within it, SIGINT and SIGTERM ask the workers to stop; the second time they kill them."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.ask()
        flag.value = True  # and no more: whoever is told may be in the middle of telling
        if stop.is_hurried:
            _kill(processes)

    with handled_by(handle):
        yield


def _work(job: Job, events: Connection, stop: Flag) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, partial(_set, stop))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    one_at_a_time = threading.Lock()

    def emit(event: Event) -> None:
        with one_at_a_time:
            try:
                events.send(event)
            except BrokenPipeError:  # nobody hears it: the claim ends with the process, and what finished is stored
                os._exit(1)

    try:
        with closing(open_store(job.store_url)) as store:
            Worker(
                name=this_process(),
                store=store,
                device=job.device,
                recording=lambda _: nullcontext(emit),
                tell=emit,
                stopping=lambda: stop.value or _orphaned(),
                only=job.experiment.name,
                once=True,
                checkpoints=job.checkpoints,
                task=job.task,
            ).run()
    except TunerError as error:
        emit(Notice(f"a worker cannot go on: {error}"))
        raise SystemExit(1) from error
    if stop.value:
        os._exit(0)  # the interpreter would take seconds to clear up, which the run needs for its report


def _end_with_parent() -> None:
    """End this process by force if it goes on for long after the one that started it is gone."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        time.sleep(GRACE_SECONDS)
        os._exit(1)


def _set(flag: Flag, _number: int, _frame: FrameType | None) -> None:
    flag.value = True


def _orphaned() -> bool:
    """Whether the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()

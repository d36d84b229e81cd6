"""How a machine's cores and accelerators are shared: one torch thread a process, one worker a device."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import TypeVar

from tuner.errors import TunerError
from tuner.guard import PDEATHSIG
from tuner.service.signals import WATCH

T = TypeVar("T")


def one_thread() -> None:
    """Give numerical libraries that are loaded later one thread, unless `OMP_NUM_THREADS` says otherwise.

    More threads than cores make small networks several times slower, so parallelism is left to workers and lanes.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def accelerators() -> int | None:
    """How many there are to train on; None if the workload has not loaded torch, which is not loaded to look."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.cuda.device_count())


def check_device(device: str) -> None:
    """See whether the workload can train there, as far as this process can tell.

    Raises:
        TunerError: There is no such accelerator.
    """
    kind, _, index = device.partition(":")
    found = accelerators()
    if kind == "cuda" and found is not None and int(index or 0) >= found:
        raise TunerError(f"device {device}: torch sees {found} GPUs here; --device auto or cpu does without")
    torch = sys.modules.get("torch")
    if torch is not None and kind not in ("auto", "cpu", "cuda"):
        there = torch.accelerator.current_accelerator(check_available=True)
        if there is None or there.type != kind:
            raise TunerError(f"device {device}: torch sees none here; --device auto or cpu does without")


def devices_of_workers(device: str, *, workers: int | None) -> Sequence[str]:
    """Where each worker of this machine trains: as many as are wanted, unless more would slow one another down.

    Args:
        device: As torch names it; `auto` and `cuda` stand for every accelerator.
        workers: How many are wanted; by default one an accelerator, or one a core. Of workers that train with torch on
            the processor there are never more than cores.

    Raises:
        TunerError: There is no such accelerator.
    """
    check_device(device)
    found = accelerators()
    if device in ("auto", "cuda") and found:
        everywhere = cycle(f"cuda:{each}" for each in range(found))
        return list(islice(everywhere, workers or found))
    if device not in ("auto", "cpu"):
        return [device] * (workers or 1)
    wanted = workers or cores()
    return [device] * (wanted if found is None else min(wanted, cores()))


@contextmanager
def all_cores() -> Iterator[Executor]:
    """Processes, one a core, whose `map` calls a function that can be pickled.

    They end with the context, and with this process, however it ends. Ctrl-C is left to this process, the parent, which
    would otherwise be interrupted in several voices. For the main thread only, as SIGTERM leaves the context too.
    """
    context = get_context("spawn")
    kept, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(cores(), mp_context=context, initializer=_serve, initargs=(kept,))
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield pool
    except BaseException:
        ours.close()  # nobody wants what they are computing
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        ours.close()
        kept.close()
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Handle a signal as a shell would say it."""
    raise SystemExit(128 + number)


def _serve(parent: Connection) -> None:
    """Begin the life of a process of `all_cores`, which ends when the other end of this pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end() -> None:
        wait([parent])
        os._exit(1)

    threading.Thread(target=end, name="parent", daemon=True).start()


def aside(work: Callable[[], T]) -> Callable[[], T]:
    """Begin to compute something in a fork of this process, beside what goes on here.

    The fork has all that this process has, so that only the result is sent, which can be pickled. It ends with this
    process. The work is done here, when its result is asked for, where there is one core, and where a fork is not safe:
    beside threads that may hold a lock, and on other systems than Linux.

    Returns:
        Waits for the result. What the work raises is raised here.
    """
    if sys.platform != "linux" or cores() < 2 or _has_threads():
        return cache(work)
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    fork = context.Process(target=_answer, args=(work, theirs), daemon=True)
    fork.start()
    theirs.close()

    def result() -> T:
        with ours, suppress(EOFError):  # it has raised an error, or was killed
            found: T = ours.recv()
            fork.join()
            return found
        return work()

    return cache(result)


def _has_threads() -> bool:
    """Whether this process has threads that compute; Ray's are none of Python's."""
    waiting = {threading.main_thread().name, WATCH}
    return "ray" in sys.modules or any(each.name not in waiting for each in threading.enumerate())


def _answer(work: Callable[[], object], pipe: Connection) -> None:
    """Send what some work comes to, from a fork."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the parent
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
    with suppress(Exception):  # the parent does the work again, and says what is wrong
        pipe.send(work())

"""How a machine's cores and accelerators are shared: one torch thread a process, one worker a device."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import FrameType

from tuner.errors import TunerError


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

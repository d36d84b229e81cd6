"""How a machine's cores and accelerators are shared: one torch thread a process, one worker a device."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context

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

    Ctrl-C is left to the parent, which would otherwise be interrupted in several voices.
    """
    quiet = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(cores(), mp_context=get_context("spawn"), initializer=quiet)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)

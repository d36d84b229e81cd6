"""How the machine's cores and accelerators are shared: one thread a process, processes that start cheaply."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, SpawnContext

PRELOADED = ("torch", "objectives.classification", "tuner.worker", "tuner.stores.opening")
"""What processes need that is slow to import, and harmless: none of it starts a thread or touches an accelerator."""


def one_thread() -> None:
    """Give numerical libraries that are loaded later one thread, unless `OMP_NUM_THREADS` says otherwise.

    More threads than cores make small networks several times slower, so parallelism is left to workers and lanes.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def accelerators() -> int:
    """How many there are to train on: none for a workload that has not loaded torch, which is not loaded to look."""
    torch = sys.modules.get("torch")
    return 0 if torch is None else int(torch.cuda.device_count())


def devices(device: str, *, workers: int | None, accelerators: int) -> Sequence[str]:
    """Where each worker trains.

    Args:
        device: As torch names it; `auto` and `cuda` stand for every accelerator.
        workers: How many there are; by default one an accelerator, or one a core.
        accelerators: How many there are.
    """
    if device in ("auto", "cuda") and accelerators:
        names = [f"cuda:{index}" for index in range(accelerators)]
    else:
        names = [device] * (cores() if device in ("auto", "cpu") else 1)
    return list(islice(cycle(names), workers or len(names)))


def processes() -> ForkServerContext | SpawnContext:
    """How processes are started: on Linux by forking one that has imported what this process has of `PRELOADED`.

    A further one then takes a quarter of the processor time. Its environment is that of the first; where that matters,
    hand it over.
    """
    if sys.platform != "linux":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([each for each in PRELOADED if each in sys.modules])
    return context


@contextmanager
def all_cores() -> Iterator[Executor]:
    """Processes, one a core, whose `map` calls a function that can be pickled.

    Ctrl-C is left to the parent, which would otherwise be interrupted in several voices.
    """
    quiet = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(mp_context=processes(), initializer=quiet)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)

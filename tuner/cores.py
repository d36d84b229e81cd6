"""How the machine's cores are shared: one thread a process, and calls spread over processes where that pays."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context


def one_thread() -> None:
    """Give numerical libraries that are loaded later one thread, unless `OMP_NUM_THREADS` says otherwise.

    More threads than cores make small networks several times slower, so parallelism is left to workers and lanes.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


@contextmanager
def all_cores() -> Iterator[Executor]:
    """Processes, one a core, whose `map` calls a function that can be pickled.

    Ctrl-C is left to the parent, which would otherwise be interrupted in several voices.
    """
    quiet = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=quiet)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)

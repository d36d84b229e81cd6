"""Calls spread over the machine's cores, for computations that take seconds."""

import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context


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

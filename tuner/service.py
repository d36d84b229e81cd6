"""A worker of the service: this process, searching whatever is submitted, until it is told to stop."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType

from tuner.experiment import Experiment
from tuner.recorders import Event, Notice
from tuner.recorders.lines import LineProgress
from tuner.recorders.mlflow import MlflowRecorder
from tuner.signals import handled_by
from tuner.stores.opening import open_store
from tuner.worker import Worker, this_process

GRACE_SECONDS = 20.0
"""How long after a signal a chunk of training may go on. Kubernetes kills after 30 seconds, Docker after 10."""
ECHO_SECONDS = 1.0
"""Signals that follow so soon are the same one: launchers send it to a process and to its group."""
MLFLOW_SECONDS = 5.0
"""How long a worker waits for MLflow when a study is over; what is missing then, `tuner sync` adds."""


def serve(store_url: str, *, tracking_uri: str, device: str, once: bool) -> None:
    """Search open studies until told to stop, or, with `once`, until nothing is open.

    Raises:
        StoreError: The store cannot be used, or did not answer for ten minutes.
    """
    stop = threading.Event()
    with _stopped_by_signals(stop), closing(open_store(store_url)) as store:
        print(f"worker {this_process()} on {store.url}", flush=True)
        Worker(
            name=this_process(),
            store=store,
            device=device,
            recording=_Recording(tracking_uri),
            tell=_say,
            stopping=stop.is_set,
            once=once,
        ).run()
    _say(Notice("stopped; everything finished is stored" if stop.is_set() else "nothing is open any more"))


class _Recording:
    """Tells of one study at a time: in lines on standard output, and to MLflow.

    Both are opened for each study anew: meanwhile another worker may have brought MLflow what this one would create.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._tracking_uri = tracking_uri

    @contextmanager
    def __call__(self, experiment: Experiment) -> Iterator[Callable[[Event], None]]:
        lines = LineProgress(sys.stdout)
        recorders = (lines, MlflowRecorder(self._tracking_uri, tell=lines.record, patience=MLFLOW_SECONDS))

        def emit(event: Event) -> None:
            for each in recorders:
                each.record(event)

        for each in recorders:
            each.open(experiment)
        try:
            yield emit
        finally:
            for each in reversed(recorders):
                each.close()


def _say(notice: Notice) -> None:
    print(notice.text, flush=True)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Within it, SIGINT and SIGTERM ask to stop; after a grace period, or at the second time, the process ends.

    Nothing is lost by that: its claim ends with it, and the next owner trains again what was running.
    """
    asked: list[float] = []

    def handle(_number: int, _frame: FrameType | None) -> None:
        asked.append(time.monotonic())
        if not stop.is_set():
            stop.set()
            print("stopping: handing the study back", flush=True)
            last = threading.Timer(GRACE_SECONDS, os._exit, [0])
            last.daemon = True
            last.start()
        elif asked[-1] - asked[0] > ECHO_SECONDS:
            os._exit(0)

    with handled_by(handle):
        yield

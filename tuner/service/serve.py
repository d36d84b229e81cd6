"""`tuner worker`: this process searches whatever is submitted until it is told to stop."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

from tuner.errors import printable
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice
from tuner.recorders.mlflow.ownership import Source
from tuner.recorders.mlflow.recorder import MlflowRecorder, Outage
from tuner.recorders.progress.lines import LineProgress
from tuner.records import SHOWN
from tuner.search.checkpoints import CheckpointFolder
from tuner.service.signals import ECHO_SECONDS, GRACE_SECONDS, handled_by
from tuner.service.worker import Worker, this_process
from tuner.stores.opening import open_records, open_store

if TYPE_CHECKING:
    from tuner.service.ray.engine import Ray

MLFLOW_SECONDS = 5.0
"""How long a worker waits for MLflow when a study is over; what is missing then, `tuner sync` adds.

An MLflow that is found dead is left alone for longer and longer, and then not waited for at all."""


def serve(
    store_url: str,
    *,
    tracking_uri: str,
    device: str,
    once: bool,
    checkpoints: CheckpointFolder | None = None,
    points: int = SHOWN,
) -> None:
    """Search open studies until told to stop, or, with `once`, until nothing is open.

    Raises:
        StoreError: The store cannot be used, or did not answer for ten minutes.
    """
    stop = threading.Event()
    outage = Outage()
    with _stopped_by_signals(stop), closing(open_store(store_url)) as store:
        print(f"worker {this_process()} on {store.url}", flush=True)
        Worker(
            name=this_process(),
            store=store,
            device=device,
            recording=lambda experiment: _recording(
                experiment, tracking_uri, points, store=lambda: nullcontext(store), outage=outage
            ),
            tell=_say,
            stopping=stop.is_set,
            once=once,
            checkpoints=checkpoints,
        ).run()
    _say_goodbye(stopped=stop.is_set())


def serve_on(
    cluster: "Ray",
    store_url: str,
    *,
    tracking_uri: str,
    device: str,
    once: bool,
    checkpoints: CheckpointFolder | None = None,
    points: int = SHOWN,
) -> None:
    """As `serve`, by workers on a cluster. Each line of output begins with the name of its worker.

    Raises:
        StoreError: The store cannot be used.
        TunerError: There is no such cluster, or no worker on it can go on.
    """
    with closing(open_store(store_url)) as store:  # a store that cannot be used is reported before workers start
        print(f"workers on Ray, on {store.url}", flush=True)
    outage = Outage()
    stopped = cluster.serve(
        store_url,
        device=device,
        once=once,
        checkpoints=checkpoints,
        recording=lambda worker, experiment: _recording(
            experiment,
            tracking_uri,
            points,
            store=lambda: closing(open_records(store_url)),
            outage=outage,
            prefix=f"{worker}: ",
        ),
        tell=_say,
    )
    _say_goodbye(stopped=stopped)


@contextmanager
def _recording(
    experiment: Experiment,
    tracking_uri: str,
    points: int,
    *,
    store: Callable[[], AbstractContextManager[Source]],
    outage: Outage,
    prefix: str = "",
) -> Iterator[Callable[[Event], None]]:
    """Records one study in lines on standard output and in MLflow.

    Both are opened anew for each study, because another worker may have logged to MLflow in the meantime.
    """
    lines = LineProgress(sys.stdout, prefix=prefix)
    mlflow = MlflowRecorder(
        tracking_uri, store, tell=lines.record, points=points, patience=MLFLOW_SECONDS, outage=outage
    )
    recorders = (lines, mlflow)

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


def _say_goodbye(*, stopped: bool) -> None:
    _say(Notice("stopped; everything finished is stored" if stopped else "nothing is open any more"))


def _say(event: Event) -> None:
    if isinstance(event, Notice):
        print(printable(event.text), flush=True)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Within the context, SIGINT and SIGTERM ask the worker to stop. After a grace period or a second signal, it ends.

    Nothing is lost: the claim ends with the process, and the next owner trains the running trials again.
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

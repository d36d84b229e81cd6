"""The MLflow recorder: every trial a run as it finishes, from a thread of its own that training never waits for."""

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from tuner.errors import RecorderError
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, TrialFinished
from tuner.recorders.mlflow.log import Log, Logged
from tuner.records import SHOWN

BACKLOG = 500
"""Trials that may wait to be sent; those beyond are left to `tuner sync`."""
PATIENCE_SECONDS = 60.0
"""How long closing waits for what is still to be sent."""
PAUSE_SECONDS = 10.0
"""How long after a failure MLflow is left alone."""


class MlflowRecorder:
    """Sends trials to MLflow as they finish. Whatever goes wrong is told once; `tuner sync` repairs it later.

    Args:
        tracking_uri: Where MLflow is: `sqlite:///runs/mlflow.db`, `https://...`. A password in it is never shown.
        tell: Is given what a person should see; called from this recorder's thread.
        points: Measurements of each curve that are sent.
        backlog: Trials that may wait to be sent.
        patience: Seconds that closing waits for them.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        tell: Callable[[Notice], None],
        points: int = SHOWN,
        backlog: int = BACKLOG,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._tracking_uri = tracking_uri
        self._tell = tell
        self._points = points
        self._backlog = backlog
        self._patience = patience
        self._events: SimpleQueue[Logged | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._gives_up = threading.Event()
        self._rest_until = 0.0
        self._has_told = False
        self._advice = ""

    def open(self, experiment: Experiment) -> None:
        self._advice = f"`tuner sync {experiment.name}` adds what is missing"
        # A daemon: when patience ends, a request that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._send, args=(experiment,), name="mlflow", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        if not isinstance(event, Logged):
            return
        if isinstance(event, TrialFinished) and self._events.qsize() >= self._backlog:
            self._tell_once("MLflow falls behind, and some trials are not sent to it")
        else:
            self._events.put(event)

    @property
    def has_failed(self) -> bool:
        """Whether something could not be sent, of which the user has been told."""
        return self._has_told

    def close(self) -> None:
        self._events.put(None)
        if self._thread is None:
            return
        self._thread.join(self._patience)
        if self._thread.is_alive():
            self._gives_up.set()
            self._tell_once(f"MLflow is not done after {self._patience:g} seconds")

    def _send(self, experiment: Experiment) -> None:
        """The thread: sends events in order."""
        log = Log(self._tracking_uri, experiment, self._points)
        self._attempt(log.connect)
        while (event := self._events.get()) is not None:
            log.note(event)
            self._attempt(partial(log.send, event))
        self._attempt(log.close)
        if log.left_out:
            self._tell(Notice(f"{log.left_out}."))

    def _attempt(self, action: Callable[[], object]) -> None:
        """Do something with MLflow, unless it failed a moment ago or there is no time left."""
        if self._gives_up.is_set() or time.monotonic() < self._rest_until:
            return
        try:
            action()
        except RecorderError as error:
            self._rest_until = time.monotonic() + PAUSE_SECONDS
            self._tell_once(str(error))

    def _tell_once(self, reason: str) -> None:
        if not self._has_told:
            self._has_told = True
            self._tell(Notice(f"{reason}. Training goes on; {self._advice}."))

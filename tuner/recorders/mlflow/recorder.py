"""The MLflow recorder: every trial a run as it finishes, from a thread of its own that training never waits for."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from queue import SimpleQueue

from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, TrialFinished
from tuner.recorders.mlflow.log import ANSWER_SECONDS, Log, Logged
from tuner.recorders.mlflow.ownership import Source
from tuner.recorders.patience import SAID_AFTER_SECONDS
from tuner.records import SHOWN

BACKLOG = 500
"""Trials that may wait to be sent; those beyond are left to `tuner sync`."""
PATIENCE_SECONDS = 30.0
"""How long the end of a run waits for MLflow in all: for what is still to be sent, and for the report."""
PROBE_SECONDS = 1.0
"""How long closing waits for an MLflow that could not be used when it was last tried."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 600.0
"""How long MLflow is left alone after a failure: twice as long after each, up to ten minutes."""


class Outage:
    """Whether MLflow can be used, as the recorders of a process have found it.

    What one has found another need not wait for: it is shared by recorders that follow one another.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._rest_until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether MLflow could not be used when it was last tried."""
        return self._failures > 0

    @property
    def rests(self) -> bool:
        """Whether MLflow is left alone for now."""
        return time.monotonic() < self._rest_until

    def fail(self) -> None:
        """MLflow could not be used."""
        pause = min(PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, 10)
        self._rest_until = time.monotonic() + pause

    def end(self) -> None:
        """MLflow could be used."""
        self._failures, self._rest_until = 0, 0.0


class MlflowRecorder:
    """Sends trials to MLflow as they finish. Whatever goes wrong is told once; `tuner sync` repairs it later.

    Args:
        tracking_uri: Where MLflow is: `sqlite:///runs/mlflow.db`, `https://...`. A password in it is never shown.
        store: Holds the experiment; opened on this recorder's thread, when it connects.
        tell: Is given what a person should see; called from this recorder's thread.
        points: Measurements of each curve that are sent.
        backlog: Trials that may wait to be sent.
        patience: Seconds that closing waits for them.
        answer_seconds: How long an answer of MLflow is waited for.
        outage: Shared with the recorders before and after this one.
    """

    def __init__(
        self,
        tracking_uri: str,
        store: Callable[[], AbstractContextManager[Source]],
        *,
        tell: Callable[[Notice], None],
        points: int = SHOWN,
        backlog: int = BACKLOG,
        patience: float = PATIENCE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        outage: Outage | None = None,
    ) -> None:
        self._tracking_uri = tracking_uri
        self._store = store
        self._tell = tell
        self._points = points
        self._backlog = backlog
        self._patience = patience
        self._answer_seconds = answer_seconds
        self._outage = outage or Outage()
        self._events: SimpleQueue[Logged | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._gives_up = threading.Event()
        self._has_told = False
        self._advice = ""
        self.has_failed = False
        """Whether something could not be sent."""
        self.seconds_left = patience
        """How much of its patience closing has left."""

    def open(self, experiment: Experiment) -> None:
        self._advice = f"`tuner sync {experiment.name}` adds what is missing"
        # A daemon: when patience ends, a request that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._send, args=(experiment,), name="mlflow", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        if not isinstance(event, Logged):
            return
        if isinstance(event, TrialFinished) and self._events.qsize() >= self._backlog:
            self._miss("MLflow falls behind, and some trials are not sent to it")
        else:
            self._events.put(event)

    def close(self) -> None:
        self._events.put(None)
        if self._thread is None:
            return
        began = time.monotonic()
        if self._outage.is_on:
            self._thread.join(min(PROBE_SECONDS, self._patience))
        if not self._outage.is_on:
            self._thread.join(min(SAID_AFTER_SECONDS, self._patience))
            if self._thread.is_alive() and self._patience > SAID_AFTER_SECONDS:
                self._tell(Notice(f"waiting for MLflow to take the last trials, {self._patience:g} seconds at most"))
                self._thread.join(self._patience - SAID_AFTER_SECONDS)
        self.seconds_left = max(0.0, self._patience - (time.monotonic() - began))
        if self._thread.is_alive():
            self.has_failed = True
            if not self._outage.is_on:
                self._outage.fail()
                self._miss(f"MLflow is not done after {self._patience:g} seconds")
            self._gives_up.set()

    def _send(self, experiment: Experiment) -> None:
        """The thread: sends events in order."""
        log = Log(self._tracking_uri, experiment, self._points, store=self._store, answer_seconds=self._answer_seconds)
        self._attempt(log, log.connect)
        if log.elsewhere:
            self._tell(Notice(f"{log.elsewhere}."))
        while (event := self._events.get()) is not None:
            log.note(event)
            self._attempt(log, partial(log.send, event))
        self._attempt(log, log.close)
        if log.left_out and not self._gives_up.is_set():
            self._tell(Notice(f"{log.left_out}."))

    def _attempt(self, log: Log, action: Callable[[], object]) -> None:
        """Do something with MLflow, unless it failed a while ago or there is no time left."""
        if self._gives_up.is_set() or self._outage.rests:
            self.has_failed = True
            return
        was_on = self._outage.is_on
        try:
            if was_on:
                log.probe()
            action()
        except TunerError as error:
            self._outage.fail()
            self.has_failed = True
            if not was_on:
                self._miss(str(error))
        else:
            self._outage.end()
            if was_on and not self._gives_up.is_set():
                self._has_told = False
                self._tell(Notice(f"MLflow can be used again; {self._advice}."))

    def _miss(self, reason: str) -> None:
        """Something is not sent: say why, once."""
        self.has_failed = True
        if not self._has_told and not self._gives_up.is_set():
            self._has_told = True
            self._tell(Notice(f"{reason}. Training goes on; {self._advice}."))

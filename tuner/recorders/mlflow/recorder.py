"""The MLflow recorder: every trial a run as it finishes, from a thread of its own that training never waits for."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from queue import SimpleQueue

from tuner.errors import RecorderError
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, StudyFinished, StudyStarted, TrialFinished
from tuner.recorders.mlflow.run_content import DIGEST_TAG, STUDY_TAG, study_run, trial_run
from tuner.recorders.mlflow.runs import Tracking
from tuner.records import StudyRecord, study_name

BACKLOG = 500
"""Trials that may wait to be sent; those beyond are left to `tuner sync`."""
PATIENCE_SECONDS = 60.0
"""How long closing waits for what is still to be sent."""
PAUSE_SECONDS = 10.0
"""How long after a failure MLflow is left alone."""

Logged = StudyStarted | TrialFinished | StudyFinished


class MlflowRecorder:
    """Sends trials to MLflow as they finish. Whatever goes wrong is told once; `tuner sync` repairs it later.

    Args:
        tracking_uri: Where MLflow is: `sqlite:///runs/mlflow.db`, `https://...`. A password in it is never shown.
        tell: Is given what a person should see; called from this recorder's thread.
        backlog: Trials that may wait to be sent.
        patience: Seconds that closing waits for them.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        tell: Callable[[Notice], None],
        backlog: int = BACKLOG,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._tracking_uri = tracking_uri
        self._tell = tell
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
        log = _Log(self._tracking_uri, experiment)
        self._attempt(log.connect)
        while (event := self._events.get()) is not None:
            log.note(event)
            self._attempt(partial(log.send, event))
        self._attempt(log.close)

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


class _Log:
    """An experiment's runs as this process sends them: which studies there are, and the run of each."""

    def __init__(self, tracking_uri: str, experiment: Experiment) -> None:
        self._tracking_uri = tracking_uri
        self._experiment = experiment
        self._connection: Tracking | None = None
        self._studies: dict[str, StudyRecord] = {}
        self._stored: dict[str, str] = {}
        self._open: dict[str, str] = {}

    def connect(self) -> Tracking:
        """The connection, made once; the studies' runs that there are already are looked up then.

        Raises:
            RecorderError: MLflow cannot be reached.
        """
        if self._connection is None:
            connection = Tracking(self._tracking_uri, self._experiment.name)
            for each in connection.runs(STUDY_TAG):
                if each.tags.get(DIGEST_TAG) == self._experiment.digest:
                    self._stored.setdefault(each.tags[STUDY_TAG], each.run_id)
            self._connection = connection
        return self._connection

    def note(self, event: Logged) -> None:
        """Remember an event, whether or not it can be sent."""
        match event:
            case StudyStarted(study):
                for each in study.rounds:
                    self._studies[self._key(each.batch_size, each.round)] = each
            case StudyFinished(study) if self._key(study.batch_size, study.round) in self._studies:
                self._studies[self._key(study.batch_size, study.round)] = study
            case TrialFinished(batch_size, round, trial):
                study = self._studies[self._key(batch_size, round)]
                self._studies[self._key(batch_size, round)] = replace(study, trials=(*study.trials, trial))

    def send(self, event: Logged) -> None:
        """Bring to MLflow what happened. Raises `RecorderError`."""
        match event:
            case StudyStarted(study):
                for each in study.earlier:
                    if (key := self._key(each.batch_size, each.round)) in self._open:
                        self._end(key)
            case TrialFinished(batch_size, round, trial, curve) if trial.end is not None:
                parent = self._study_run(self._key(batch_size, round))
                content = trial_run(self._experiment, trial, trial.end, curve, batch_size=batch_size, round=round)
                self.connect().log(content, parent=parent)
            case StudyFinished(study) if self._key(study.batch_size, study.round) in self._studies:
                self._end(self._key(study.batch_size, study.round))

    def close(self) -> None:
        """End the runs of the studies that were not. Raises `RecorderError`."""
        for key in tuple(self._open):
            self._end(key)

    def _end(self, key: str) -> None:
        """Store what a study came to so far, and that nobody searches it any more."""
        run_id = self._study_run(key)
        self.connect().complete(run_id, study_run(self._experiment, self._studies[key]))
        del self._open[key]

    def _study_run(self, key: str) -> str:
        """The run of a study, `RUNNING`: made when it has its first trial, which says when the study began."""
        if key not in self._open:
            tracking = self.connect()
            run_id = self._stored.get(key)
            if run_id is None:
                run_id = tracking.create(study_run(self._experiment, self._studies[key]))
            else:
                tracking.reopen(run_id)
            self._stored[key] = self._open[key] = run_id
        return self._open[key]

    def _key(self, batch_size: int, round: int) -> str:
        return study_name(self._experiment.name, batch_size, round)

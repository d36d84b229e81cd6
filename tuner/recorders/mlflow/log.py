"""An experiment's runs as one process sends them to MLflow, event by event."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from tuner.experiment import Experiment
from tuner.recorders import ExtraStarted, StudyFinished, StudyStarted, TrialFinished
from tuner.recorders.mlflow.accepted import Refusals
from tuner.recorders.mlflow.ownership import Source, name_is_taken
from tuner.recorders.mlflow.run_content import COMPLETE_TAG, DIGEST_TAG, STUDY_TAG, study_run, trial_run
from tuner.recorders.mlflow.runs import RunDeletedError, Tracking
from tuner.recorders.patience import Patience
from tuner.records import ExperimentRecord, StudyRecord, study_name

Logged = StudyStarted | ExtraStarted | TrialFinished | StudyFinished
"""The events that change what MLflow has."""


ANSWER_SECONDS = 20.0
"""How long an answer of MLflow is waited for, by a thread on which nothing else depends."""


class Log:
    """Which studies there are, and the run of each.

    Args:
        tracking_uri: Where MLflow is.
        experiment: Whose runs they are.
        points: Measurements of each curve that are sent.
        store: Holds the experiment; open when it is asked for, which is once a connection.
        answer_seconds: How long an answer of MLflow is waited for.
    """

    def __init__(
        self,
        tracking_uri: str,
        experiment: Experiment,
        points: int,
        *,
        store: Callable[[], AbstractContextManager[Source]],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._tracking_uri = tracking_uri
        self._experiment = experiment
        self._points = points
        self._store = store
        self._answer_seconds = answer_seconds
        self._patience = Patience(answer_seconds)
        self._refusals = Refusals()
        self._connection: Tracking | None = None
        self._studies: dict[str, StudyRecord] = {}
        self._stored: dict[str, str] = {}
        self._open: dict[str, str] = {}

    @property
    def left_out(self) -> str:
        """What MLflow did not take, for a person; empty if it took everything."""
        return self._refusals.sentence

    @property
    def elsewhere(self) -> str:
        """Where in MLflow the runs are, for a person; empty if that is where anybody looks."""
        named = self._connection.name if self._connection is not None else self._experiment.name
        return "" if named == self._experiment.name else name_is_taken(self._experiment.name, named)

    def connect(self) -> Tracking:
        """The connection, made once, and again when MLflow had not answered in time.

        The studies' runs that there are already are looked up then.

        Raises:
            RecorderError: MLflow cannot be reached, or does not answer in time.
            StoreError: The store cannot be read.
        """
        if self._patience.has_ended:
            self._connection, self._patience = None, Patience(self._answer_seconds)
        if self._connection is None:
            with self._store() as store:
                connection = Tracking(self._tracking_uri, self._experiment.name, store, patience=self._patience)
                known = list(connection.runs(STUDY_TAG))
            connection.refusals = self._refusals
            for each in known:
                if each.tags.get(DIGEST_TAG) == self._experiment.digest:
                    self._stored.setdefault(each.tags[STUDY_TAG], each.run_id)
            self._connection = connection
        return self._connection

    def probe(self) -> None:
        """Ask MLflow for something, however little there is to send. Raises as `connect` does."""
        self.connect().check()

    def note(self, event: Logged) -> None:
        """Remember an event, whether or not it can be sent."""
        match event:
            case StudyStarted(study) | ExtraStarted(study):
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
                        self._end(key, is_last=False)
            case TrialFinished(batch_size, round, trial, curve) if trial.end is not None:
                parent = self._study_run(self._key(batch_size, round))
                content = trial_run(
                    self._experiment,
                    trial,
                    trial.end,
                    curve,
                    batch_size=batch_size,
                    round=round,
                    points=self._points,
                )
                self.connect().log(content, parent=parent)
            case StudyFinished(study) if self._key(study.batch_size, study.round) in self._studies:
                self._end(self._key(study.batch_size, study.round))

    def close(self) -> None:
        """End the runs of the studies that were not. Raises `RecorderError`."""
        for key in tuple(self._open):
            self._end(key)

    def _end(self, key: str, *, is_last: bool = True) -> None:
        """Store what a study came to so far, and that nobody searches it any more.

        A run that somebody has deleted meanwhile stays deleted.
        """
        study = self._studies[key]
        tracking, run_id = self.connect(), self._study_run(key)
        with suppress(RunDeletedError):
            tracking.complete(run_id, study_run(self._experiment, study))
            self._bring_answer(run_id, study, is_last=is_last)
        del self._open[key]

    def _bring_answer(self, run_id: str, study: StudyRecord, *, is_last: bool) -> None:
        """Bring to the run of a round what its study came to, as far as that is known without the other studies."""
        # The analysis loads scipy, which a worker does without until a search is over.
        from tuner.analysis.summary import results
        from tuner.recorders.mlflow.answers import answer_alone, superseded
        from tuner.recorders.mlflow.overview import log_answer

        tracking = self.connect()
        if is_last:
            (found,) = results(ExperimentRecord(self._experiment, (study,))).studies
            log_answer(tracking, tracking.run(run_id), answer_alone(self._experiment, found))
        else:
            log_answer(tracking, tracking.run(run_id), superseded(study.round))

    def _study_run(self, key: str) -> str:
        """The run of a study, `RUNNING`: made when it has its first trial, which says when the study began."""
        if key not in self._open:
            tracking = self.connect()
            run_id = self._stored.get(key)
            if run_id is None:
                run_id = tracking.create(study_run(self._experiment, self._studies[key]))
            else:
                tracking.reopen(run_id)
                tracking.tag(run_id, COMPLETE_TAG, "false")
            self._stored[key] = self._open[key] = run_id
        return self._open[key]

    def _key(self, batch_size: int, round: int) -> str:
        return study_name(self._experiment.name, batch_size, round)

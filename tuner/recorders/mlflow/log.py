"""An experiment's runs as one process sends them to MLflow, event by event."""

from contextlib import suppress
from dataclasses import replace

from tuner.experiment import Experiment
from tuner.recorders import StudyFinished, StudyStarted, TrialFinished
from tuner.recorders.mlflow.run_content import COMPLETE_TAG, DIGEST_TAG, STUDY_TAG, study_run, trial_run
from tuner.recorders.mlflow.runs import RunDeletedError, Tracking
from tuner.records import ExperimentRecord, StudyRecord, study_name

Logged = StudyStarted | TrialFinished | StudyFinished
"""The events that change what MLflow has."""


class Log:
    """Which studies there are, and the run of each.

    Args:
        tracking_uri: Where MLflow is.
        experiment: Whose runs they are.
        points: Measurements of each curve that are sent.
    """

    def __init__(self, tracking_uri: str, experiment: Experiment, points: int) -> None:
        self._tracking_uri = tracking_uri
        self._experiment = experiment
        self._points = points
        self._connection: Tracking | None = None
        self._studies: dict[str, StudyRecord] = {}
        self._stored: dict[str, str] = {}
        self._open: dict[str, str] = {}

    @property
    def left_out(self) -> str:
        """What MLflow did not take, for a person; empty if it took everything."""
        return self._connection.refusals.sentence if self._connection is not None else ""

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

"""A claim of one study: the writing side of the store.

Optuna's transactions are its own. A trial's result is therefore stored in two steps: first everything we keep, in one
transaction; then Optuna is told. Whoever dies in between leaves a trial that Optuna believes running, and whose result
is there: `settle_orphans` tells it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState as OptunaState
from optuna.trial import create_trial
from sqlalchemy import Column, Connection, insert, select, update

from tuner.distributions import distributions_of, encode
from tuner.errors import ClaimLost, StoreError, StoreUnreachable
from tuner.experiment import Experiment, space_table
from tuner.records import StudyRecord, TrialPlan, TrialRecord, TrialState, study_name
from tuner.space import SearchSpace
from tuner.stores.database import Database, Lock, store_errors
from tuner.stores.reading import PLAN, StoredExperiment, StoredStudy, read_studies
from tuner.stores.retries import patient
from tuner.stores.rounds import open_optuna_study, optuna_errors
from tuner.stores.rows import end_of, end_values, intermediate_values, measurement_rows, plan_table
from tuner.stores.tables import (
    optuna_intermediate_value,
    optuna_trial,
    optuna_user_attribute,
    study,
    trial_end,
    trial_failure,
)
from tuner.stores.urls import visible
from tuner.trial import TrialResult

INTERRUPTED = "interrupted: its worker let go of the study"


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial that was started under this claim."""

    trial_id: int
    plan: TrialPlan
    started: datetime
    began: float
    """By a clock that does not jump."""

    def stamp(self) -> datetime:
        """The time now, as long after the start as it is, even if somebody has set the clock since."""
        return self.started + timedelta(seconds=time.monotonic() - self.began)


@dataclass(slots=True)
class StudyClaim:
    """The claim of a study. Every write checks its lock, and that nobody has claimed the study since.

    A lock that was lost with its connection is taken again: the claim stands if nobody had the study in between.

    Attributes:
        current: The round that is searched.
        first_id: The identifier of the study's first round, where claims are counted.
        epoch: How often the study had been claimed when this claim was made, this one included.
    """

    found: StoredExperiment
    current: StoredStudy
    first_id: int
    epoch: int
    lock: Lock
    database: Database
    storage: RDBStorage
    _running: dict[int, RunningTrial] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        """What Optuna calls the current round."""
        return study_name(self.found.settings.name, self.current.batch_size, self.current.round)

    @property
    def experiment(self) -> Experiment:
        return self.found.settings

    def check(self) -> None:
        try:
            self.lock.check()
        except StoreUnreachable:
            self._check_epoch()  # says for sure if it is another worker who has the lock
            raise
        self._check_epoch()

    @patient
    def record(self) -> StudyRecord:
        with self._errors(), self.storage.engine.connect() as connection:
            (study_record,) = read_studies(connection, self.found, batch_size=self.current.batch_size)
            return study_record

    @patient
    def start(self, plan: TrialPlan) -> int:
        # Optuna's transaction is its own: should the claim be lost just now, the next owner fails the trial. So does
        # whoever leaves the claim with one that was made twice, when an answer was lost.
        self.check()
        space = (self.current.space or self.found.settings.space).around(plan.hyperparameters)  # a probe lies outside
        template = create_trial(
            state=OptunaState.RUNNING,
            params=encode(space, plan.hyperparameters),
            distributions=distributions_of(space),
            user_attrs={PLAN: plan_table(plan)},
        )
        template.datetime_start = started = datetime.now(UTC)  # Optuna's own is local time, which may jump
        began = time.monotonic()
        with self._errors():
            # What Study.add_trial does, which keeps to itself which trial it made.
            try:
                trial_id = self.storage.create_new_trial(self.current.study_id, template_trial=template)
            except KeyError as error:
                raise StoreError(f"{self.name} is gone from Optuna's tables: was it deleted in a dashboard?") from error
            query = select(optuna_trial.c.number).where(optuna_trial.c.trial_id == trial_id)
            with self.storage.engine.connect() as connection:
                number = int(connection.execute(query).scalar_one())
        self._running[number] = RunningTrial(trial_id, plan, started, began)
        return number

    @patient
    def finish(self, number: int, result: TrialResult, *, loss: float) -> TrialRecord:
        trial = self._find_running(number)
        end, ended = end_of(result, loss=loss), trial.stamp()
        with self._writing() as connection:
            # It is there if this is tried again because the answer to the commit was lost.
            if not _has(connection, trial_end.c.trial_id, trial.trial_id):
                self.database.write_measurements(connection, measurement_rows(trial.trial_id, result.curve))
                where = {"trial_id": trial.trial_id, "study_id": self.current.study_id, "role": trial.plan.role.value}
                connection.execute(insert(trial_end).values(where | end_values(end) | {"ended": ended}))
                _show(connection, trial, result, metric=self.found.settings.goal.metric)
                connection.execute(update(study).where(study.c.study_id == self.first_id).values(deaths=0))
        self._tell(trial.trial_id, OptunaState.COMPLETE, [loss])
        del self._running[number]
        return TrialRecord(number, trial.plan, TrialState.FINISHED, end, "", trial.started, ended, self.current.round)

    def fail(self, number: int, *, reason: str) -> None:
        self._fail(self._find_running(number).trial_id, reason)
        del self._running[number]

    @patient
    def open_round(self, space: SearchSpace) -> None:
        """Open the next round: Optuna's study first, in a transaction of its own, then the row that makes it count.

        Whoever dies in between leaves a study of Optuna's without trials, which the next owner finds and keeps.
        """
        experiment, before, number = self.found, self.current, self.current.round + 1
        with self._errors():
            study_id = open_optuna_study(
                self.storage, experiment.settings.name, batch_size=before.batch_size, round=number
            )
        row = {"study_id": study_id, "experiment_id": experiment.experiment_id, "batch_size": before.batch_size}
        with self._writing() as connection:
            if not _has(connection, study.c.study_id, study_id):
                _complete(connection, before)
                values = row | {"round": number, "space": json.dumps(space_table(space))}
                connection.execute(insert(study).values(values))
        self.current = StoredStudy(study_id, before.batch_size, number, complete=False, space=space)

    @patient
    def complete(self) -> None:
        with self._writing() as connection:
            _complete(connection, self.current)
            self.database.announce(connection)

    @patient
    def set_aside(self, *, error: str) -> None:
        with self._writing() as connection:
            connection.execute(update(study).where(study.c.study_id == self.first_id).values(error=error))
            self.database.announce(connection)

    def hand_back(self) -> None:
        """Leave nothing running, and nobody's name. If it fails, whoever claims the study next does the same."""
        self.settle_orphans(reason=INTERRUPTED)
        with self._writing() as connection:
            nobody = {"worker": None, "device": None, "claimed": None}
            connection.execute(update(study).where(study.c.study_id == self.first_id).values(nobody))

    def settle_orphans(self, *, reason: str) -> None:
        """End every trial that Optuna believes running: by its result if that is stored, or as failed."""
        query = (
            select(optuna_trial.c.trial_id, trial_end.c.loss, trial_failure.c.reason)
            .outerjoin(trial_end, trial_end.c.trial_id == optuna_trial.c.trial_id)
            .outerjoin(trial_failure, trial_failure.c.trial_id == optuna_trial.c.trial_id)
            .join(study, study.c.study_id == optuna_trial.c.study_id)
            .where(study.c.experiment_id == self.found.experiment_id, study.c.batch_size == self.current.batch_size)
            .where(optuna_trial.c.state == "RUNNING")
        )
        with self._writing() as connection:
            orphans = connection.execute(query).all()
        for trial_id, loss, failed in orphans:
            if loss is not None:
                self._tell(trial_id, OptunaState.COMPLETE, [loss])
            elif failed is not None:
                self._tell(trial_id, OptunaState.FAIL)
            else:
                self._fail(trial_id, reason)
        self._running.clear()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction during which nobody else can claim the study.

        Raises:
            ClaimLost: Somebody has claimed the study since.
            StoreUnreachable: The lock is gone, and cannot be taken again now.
        """
        try:
            self.lock.check()
        except StoreUnreachable:
            self._check_epoch()
            raise
        with self._standing() as connection:
            yield connection

    @contextmanager
    def _standing(self) -> Iterator[Connection]:
        """A transaction, if nobody has claimed the study since; until its end nobody can."""
        # Changes nothing, but locks the row, in either kind of database, until the transaction ends.
        stand = update(study).where(study.c.study_id == self.first_id, study.c.epoch == self.epoch)
        with self._errors(), self.storage.engine.begin() as connection:
            self._refuse_lost(connection.execute(stand.values(epoch=self.epoch)).rowcount == 1)
            yield connection

    def _check_epoch(self) -> None:
        """Raise `ClaimLost` if somebody has claimed the study since. Locks no row: another thread may be writing."""
        with self._errors(), self.storage.engine.connect() as connection:
            query = select(study.c.epoch).where(study.c.study_id == self.first_id)
            self._refuse_lost(connection.scalar(query) == self.epoch)

    def _refuse_lost(self, stands: bool) -> None:
        """Raise `ClaimLost` if the claim does not stand any more."""
        if not stands:
            raise ClaimLost(f"the claim of {self.name} is lost: another worker has taken it since")

    def _fail(self, trial_id: int, reason: str) -> None:
        with self._writing() as connection:
            connection.execute(insert(trial_failure).values(trial_id=trial_id, reason=reason, ended=datetime.now(UTC)))
            _show_attributes(connection, trial_id, {"reason": reason})
        self._tell(trial_id, OptunaState.FAIL)

    def _tell(self, trial_id: int, state: OptunaState, values: list[float] | None = None) -> None:
        # What Study.tell does, after it has read the whole trial. A trial may have been ended by hand, in the
        # dashboard, or by the next owner, who reads from our tables the same as we do.
        with self._errors(), suppress(UpdateFinishedTrialError):
            self.storage.set_trial_state_values(trial_id, state, values)

    def _find_running(self, number: int) -> RunningTrial:
        if number not in self._running:
            raise StoreError(f"trial {number} of {self.name} is not running under this claim")
        return self._running[number]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with store_errors(f"{self.name} in {visible(self.database.location)}"), optuna_errors():
            yield


def _has(connection: Connection, column: Column[int], key: int) -> bool:
    """Whether there is a row of this key."""
    return connection.scalar(select(column).where(column == key)) is not None


def _complete(connection: Connection, stored: StoredStudy) -> None:
    """Store that a round needs no more work."""
    connection.execute(update(study).where(study.c.study_id == stored.study_id).values(complete=True))


def _show(connection: Connection, trial: RunningTrial, result: TrialResult, *, metric: str) -> None:
    """Let optuna-dashboard see how a trial went: straight into Optuna's tables, in the transaction of the result.

    `Trial.report` and `set_user_attr` would take ten statements and a commit for each value.
    """
    values = [each._asdict() for each in intermediate_values(result.curve, metric)]
    connection.execute(insert(optuna_intermediate_value), [{"trial_id": trial.trial_id, **each} for each in values])
    shown = {"role": trial.plan.role.value, "outcome": result.outcome.value, "steps": result.steps}
    if trial.plan.origin is not None:
        shown["origin"] = trial.plan.origin.phrase
    _show_attributes(connection, trial.trial_id, shown)


def _show_attributes(connection: Connection, trial_id: int, attributes: Mapping[str, str | int]) -> None:
    rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(each)} for key, each in attributes.items()]
    connection.execute(insert(optuna_user_attribute), rows)

"""A claim of one study: the writing side of the store.

Each write is one transaction, in which nobody else can claim the study; what Optuna has of a trial is part of it.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from optuna.storages import RDBStorage
from optuna.trial import TrialState as OptunaState
from sqlalchemy import Column, Connection, insert, select, update

from tuner.errors import ClaimLost, StoreError, StoreUnreachable
from tuner.experiment import Experiment, space_table
from tuner.experiment.space import SearchSpace
from tuner.records import LET_GO, Stage, StudyRecord, TrialPlan, TrialRecord, TrialState, study_name
from tuner.stores.database import Database, Lock, store_errors
from tuner.stores.relational.optunas import (
    end_trial,
    insert_attributes,
    insert_curve,
    insert_trial,
    open_optuna_study,
    optuna_errors,
)
from tuner.stores.relational.reading import StoredExperiment, StoredStudy
from tuner.stores.relational.record_reader import read_studies, refuse_damaged
from tuner.stores.relational.rows import end_of, end_values, measurement_rows
from tuner.stores.relational.tables import optuna_trial, study, trial_end, trial_failure
from tuner.stores.retries import Patience, patient
from tuner.stores.urls import visible
from tuner.trial import TrialResult


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
        patience: How long writes are tried again while the store does not answer.
    """

    found: StoredExperiment
    current: StoredStudy
    first_id: int
    epoch: int
    lock: Lock
    database: Database
    storage: RDBStorage
    patience: Patience
    _running: dict[int, RunningTrial] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        """What Optuna calls the current round."""
        return study_name(self.found.settings.name, self.current.batch_size, self.current.round)

    @property
    def experiment(self) -> Experiment:
        return self.found.settings

    def check(self) -> None:
        self._check_lock()
        self._check_epoch()

    @patient
    def record(self) -> StudyRecord:
        with self._errors(), self.storage.engine.connect() as connection:
            (study_record,) = read_studies(connection, self.found, batch_size=self.current.batch_size)
        refuse_damaged([study_record])
        return study_record

    @patient
    def start(self, plan: TrialPlan) -> int:
        # Whoever leaves the claim fails a trial that was made twice, because the answer to a commit was lost.
        own = self.current.space or self.found.settings.space.at(self.current.batch_size)
        space = own.around(plan.hyperparameters)  # a probe lies outside
        started, began = datetime.now(UTC), time.monotonic()
        with self._writing() as connection:
            made = insert_trial(connection, self.current.study_id, plan, space=space, started=started)
        if made is None:
            raise StoreError(f"{self.name} is gone from Optuna's tables: was it deleted in a dashboard?")
        trial_id, number = made
        self._running[number] = RunningTrial(trial_id, plan, started, began)
        return number

    @patient
    def finish(self, number: int, result: TrialResult, *, loss: float) -> TrialRecord:
        trial = self._find_running(number)
        end, ended = end_of(result, loss=loss), trial.stamp()
        shown = {"role": trial.plan.role.value, "outcome": result.outcome.value, "steps": result.steps}
        if trial.plan.origin is not None:
            shown["origin"] = trial.plan.origin.phrase
        with self._writing() as connection:
            # It is there if this is tried again because the answer to the commit was lost.
            if not _has(connection, trial_end.c.trial_id, trial.trial_id):
                if result.curve:
                    self.database.write_measurements(connection, measurement_rows(trial.trial_id, result.curve))
                where = {"trial_id": trial.trial_id, "study_id": self.current.study_id, "role": trial.plan.role.value}
                connection.execute(insert(trial_end).values(where | end_values(end) | {"ended": ended}))
                insert_curve(connection, trial.trial_id, result, metric=self.found.settings.goal.metric)
                insert_attributes(connection, trial.trial_id, shown)
                if result.failure is None:
                    end_trial(connection, trial.trial_id, OptunaState.COMPLETE, ended=ended, loss=loss)
                else:
                    _fail(connection, trial.trial_id, result.failure.reason)
                self._set(connection, deaths=0)
        del self._running[number]
        times = trial.started, ended
        reason = "" if result.failure is None else result.failure.reason
        return TrialRecord(number, trial.plan, TrialState.FINISHED, end, reason, *times, self.current.round)

    def fail(self, number: int, *, reason: str) -> None:
        with self._writing() as connection:
            _fail(connection, self._find_running(number).trial_id, reason)
        del self._running[number]

    @patient
    def open_round(self, space: SearchSpace, *, second_look: bool = False) -> None:
        """Open the next round: Optuna's study first, in a transaction of its own, then the row that makes it count.

        A worker that dies in between leaves a study of Optuna's without trials, which the next owner finds and keeps.
        """
        experiment, before, number = self.found, self.current, self.current.round + 1
        with self._errors():
            study_id = open_optuna_study(self.storage, experiment.settings, batch_size=before.batch_size, round=number)
        row = {"study_id": study_id, "experiment_id": experiment.experiment_id, "batch_size": before.batch_size}
        with self._writing() as connection:
            if not _has(connection, study.c.study_id, study_id):
                _complete(connection, before)
                values = row | {"round": number, "space": json.dumps(space_table(space))}
                connection.execute(insert(study).values(values))
                if second_look:
                    self._set(connection, stage=Stage.SECOND_LOOK)
        self.current = StoredStudy(study_id, before.batch_size, number, complete=False, space=space)

    @patient
    def reach(self, stage: Stage) -> None:
        with self._writing() as connection:
            self._set(connection, stage=stage)
            self.database.announce(connection)

    @patient
    def complete(self) -> None:
        with self._writing() as connection:
            _complete(connection, self.current)
            self.database.announce(connection)

    @patient
    def set_aside(self, *, error: str) -> None:
        with self._writing() as connection:
            self._set(connection, error=error)
            self.database.announce(connection)

    def hand_back(self) -> None:
        """End the running trials and clear the worker's name. If that fails, the next owner of the study does it."""
        with self._writing() as connection:
            self.settle_orphans(connection, reason=LET_GO)
            self._set(connection, worker=None, device=None, claimed=None)

    def settle_orphans(self, connection: Connection, *, reason: str) -> None:
        """End every trial that Optuna believes running, in a transaction: by its stored result, or as failed.

        Earlier versions stored a result first, and told Optuna in another transaction.
        """
        query = (
            select(optuna_trial.c.trial_id, trial_end.c.loss, trial_failure.c.reason)
            .outerjoin(trial_end, trial_end.c.trial_id == optuna_trial.c.trial_id)
            .outerjoin(trial_failure, trial_failure.c.trial_id == optuna_trial.c.trial_id)
            .join(study, study.c.study_id == optuna_trial.c.study_id)
            .where(study.c.experiment_id == self.found.experiment_id, study.c.batch_size == self.current.batch_size)
            .where(optuna_trial.c.state == "RUNNING")
        )
        for trial_id, loss, failed in connection.execute(query).all():
            if failed is not None:
                end_trial(connection, trial_id, OptunaState.FAIL, ended=datetime.now(UTC))
            elif loss is not None:
                end_trial(connection, trial_id, OptunaState.COMPLETE, ended=datetime.now(UTC), loss=loss)
            else:
                _fail(connection, trial_id, reason)
        self._running.clear()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction during which nobody else can claim the study.

        Raises:
            ClaimLost: Somebody has claimed the study since.
            StoreUnreachable: The lock is gone, and cannot be taken again now.
        """
        self._check_lock()
        with self._claim_that_stands() as connection:
            yield connection

    @contextmanager
    def _claim_that_stands(self) -> Iterator[Connection]:
        """A transaction, if nobody has claimed the study since; until its end nobody can."""
        # Changes nothing, but locks the row, in either kind of database, until the transaction ends.
        stand = update(study).where(study.c.study_id == self.first_id, study.c.epoch == self.epoch)
        with self._errors(), self.storage.engine.begin() as connection:
            self._refuse_lost(connection.execute(stand.values(epoch=self.epoch)).rowcount == 1)
            yield connection

    def _check_lock(self) -> None:
        try:
            self.lock.check()
        except StoreUnreachable:
            self._check_epoch()  # says for sure if it is another worker who has the lock
            raise

    def _check_epoch(self) -> None:
        """Raise `ClaimLost` if somebody has claimed the study since. Locks no row: another thread may be writing."""
        with self._errors(), self.storage.engine.connect() as connection:
            query = select(study.c.epoch).where(study.c.study_id == self.first_id)
            self._refuse_lost(connection.scalar(query) == self.epoch)

    def _refuse_lost(self, stands: bool) -> None:
        """Raise `ClaimLost` if the claim does not stand any more."""
        if not stands:
            raise ClaimLost(f"the claim of {self.name} is lost: another worker has taken it since")

    def _set(self, connection: Connection, **values: object) -> None:
        """Store what is kept of the batch size in its first round."""
        connection.execute(update(study).where(study.c.study_id == self.first_id).values(values))

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


def _fail(connection: Connection, trial_id: int, reason: str) -> None:
    """Store that a trial ended without a result."""
    ended = datetime.now(UTC)
    connection.execute(insert(trial_failure).values(trial_id=trial_id, reason=reason, ended=ended))
    insert_attributes(connection, trial_id, {"reason": reason})
    end_trial(connection, trial_id, OptunaState.FAIL, ended=ended)

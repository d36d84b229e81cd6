"""Reading the record. Each function is one query, however many trials there are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, Row, and_, func, select

from tuner.errors import ConfigError, StoreError
from tuner.experiment import Experiment, from_table
from tuner.records import Curve, StudyRecord, TrialRecord, TrialState
from tuner.space import SearchSpace
from tuner.stores.rows import curves_from, end_from, plan_from
from tuner.stores.tables import (
    experiment,
    measurement,
    optuna_trial,
    optuna_user_attribute,
    study,
    trial_end,
    trial_failure,
)

PLAN = "plan"
"""The user attribute that holds a trial's plan: Optuna stores it in the transaction that makes the trial."""


@dataclass(frozen=True, slots=True)
class StoredExperiment:
    """An experiment and its identifier."""

    experiment_id: int
    settings: Experiment


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A study without its trials."""

    study_id: int
    batch_size: int
    round: int
    complete: bool


def experiment_names(connection: Connection) -> list[str]:
    """The experiments stored, oldest first."""
    return list(connection.scalars(select(experiment.c.name).order_by(experiment.c.experiment_id)))


def find_experiment(connection: Connection, name: str) -> StoredExperiment | None:
    """The experiment of a name, if there is one.

    Raises:
        StoreError: Its settings mean nothing to this version.
    """
    query = select(experiment.c.experiment_id, experiment.c.settings).where(experiment.c.name == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    try:
        return StoredExperiment(row.experiment_id, from_table(json.loads(row.settings)))
    except ConfigError as error:
        message = f"the stored settings of {name} mean nothing to this version of tuner: {error.problems[0]}"
        raise StoreError(message) from error


def current_studies(connection: Connection, experiment_id: int) -> list[StoredStudy]:
    """The latest round of each batch size, smallest batch size first."""
    latest = (
        select(study.c.batch_size, func.max(study.c.round).label("round"))
        .where(study.c.experiment_id == experiment_id)
        .group_by(study.c.batch_size)
        .subquery()
    )
    query = (
        select(study.c.study_id, study.c.batch_size, study.c.round, study.c.complete)
        .join(latest, and_(study.c.batch_size == latest.c.batch_size, study.c.round == latest.c.round))
        .where(study.c.experiment_id == experiment_id)
        .order_by(study.c.batch_size)
    )
    return [StoredStudy(*row) for row in connection.execute(query)]


def read_study(connection: Connection, stored: StoredStudy, space: SearchSpace) -> StudyRecord:
    """A study as it stands now."""
    complete = connection.scalar(select(study.c.complete).where(study.c.study_id == stored.study_id))
    trials = read_trials(connection, [stored.study_id]).get(stored.study_id, ())
    return StudyRecord(stored.batch_size, stored.round, space, bool(complete), trials)


def read_trials(connection: Connection, study_ids: Sequence[int]) -> Mapping[int, tuple[TrialRecord, ...]]:
    """The trials of studies, in order of number, by the study's identifier; those without trials are left out."""
    attribute = optuna_user_attribute
    query = (
        select(
            optuna_trial.c.study_id,
            optuna_trial.c.number,
            optuna_trial.c.state,
            optuna_trial.c.datetime_start.label("started"),
            attribute.c.value_json.label("plan"),
            trial_end.c.outcome,
            trial_end.c.steps,
            trial_end.c.limit,
            trial_end.c.spent,
            trial_end.c.loss,
            trial_end.c.final,
            trial_failure.c.reason,
            func.coalesce(trial_end.c.ended, trial_failure.c.ended).label("ended"),
        )
        .join(attribute, and_(attribute.c.trial_id == optuna_trial.c.trial_id, attribute.c.key == PLAN))
        .outerjoin(trial_end, trial_end.c.trial_id == optuna_trial.c.trial_id)
        .outerjoin(trial_failure, trial_failure.c.trial_id == optuna_trial.c.trial_id)
        .where(optuna_trial.c.study_id.in_(study_ids))
        .order_by(optuna_trial.c.study_id, optuna_trial.c.number)
    )
    rows = connection.execute(query)
    return {key: tuple(map(_trial_record, group)) for key, group in groupby(rows, key=lambda row: row.study_id)}


def read_curves(connection: Connection, study_id: int) -> dict[int, Curve]:
    """The curves of a study's finished trials, by number."""
    query = (
        select(optuna_trial.c.number, measurement.c.step, measurement.c.metric, measurement.c.value)
        .join(measurement, measurement.c.trial_id == optuna_trial.c.trial_id)
        .where(optuna_trial.c.study_id == study_id)
        .order_by(optuna_trial.c.number, measurement.c.step)
    )
    return dict(curves_from(connection.execute(query).all()))


def _trial_record(row: Row[*tuple[object, ...]]) -> TrialRecord:
    """A trial from its row. Our own tables say how it ended: Optuna is told after them, or by the next owner."""
    end = None
    if row.outcome is not None:
        end = end_from(row.outcome, row.steps, row.limit, row.spent, row.loss, row.final)
    if end is not None:
        state = TrialState.FINISHED
    elif row.reason is not None or row.state == "FAIL":
        state = TrialState.FAILED
    else:
        state = TrialState.RUNNING
    reason = row.reason or "" if state is TrialState.FAILED else ""
    return TrialRecord(row.number, plan_from(row.plan), state, end, reason, row.started, row.ended)

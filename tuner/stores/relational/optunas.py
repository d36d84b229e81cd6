"""Studies and trials in Optuna's tables, for Optuna and its dashboard.

A study is made through Optuna's storage. Trials are written as rows, in the transaction of our own: through the storage
a trial would be fifty statements in a dozen transactions, none of them ours.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import optuna
from optuna.distributions import distribution_to_json
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from tuner.errors import StoreError
from tuner.experiment import Experiment
from tuner.experiment.distributions import distributions_of, encode
from tuner.experiment.goals import ScoreUnit
from tuner.experiment.space import SearchSpace
from tuner.records import TrialPlan, study_name
from tuner.stores.relational.rows import PLAN, intermediate_values, plan_table
from tuner.stores.relational.tables import (
    optuna_intermediate_value,
    optuna_param,
    optuna_study,
    optuna_trial,
    optuna_user_attribute,
    optuna_value,
)
from tuner.trial import TrialResult


def loss_label(unit: ScoreUnit) -> str:
    """What the dashboard calls the value of a trial; one that was cut or diverged has a larger one than its score."""
    return f"log2 of {unit.ratio}"


def open_optuna_study(storage: RDBStorage, experiment: Experiment, *, batch_size: int, round: int) -> int:
    """Optuna's study of a round, made if it is not there; its identifier. Cut short, it can be done again."""
    name = study_name(experiment.name, batch_size, round)
    opened = optuna.create_study(storage=storage, study_name=name, direction="minimize", load_if_exists=True)
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        opened.set_metric_names([loss_label(experiment.goal.unit)])
    for key, value in {"experiment": experiment.name, "batch_size": batch_size, "round": round}.items():
        opened.set_user_attr(key, value)
    return storage.get_study_id_from_name(name)


@contextmanager
def optuna_errors() -> Iterator[None]:
    """What Optuna raises because its database failed, as the database's own error: Optuna's does not say why."""
    try:
        yield
    except OptunaError as error:
        cause = error.__cause__
        while cause is not None:
            if isinstance(cause, SQLAlchemyError):
                raise cause from error
            cause = cause.__cause__
        raise StoreError(" ".join(str(error).split())) from error


def insert_trial(
    connection: Connection, study_id: int, plan: TrialPlan, *, space: SearchSpace, started: datetime
) -> tuple[int, int] | None:
    """Make a trial that runs; its identifier and its number. None if Optuna has no such study any more."""
    # Locks the row, as Optuna does while it counts trials.
    locked = select(optuna_study.c.study_id).where(optuna_study.c.study_id == study_id).with_for_update()
    if connection.scalar(locked) is None:
        return None
    last = select(func.max(optuna_trial.c.number)).where(optuna_trial.c.study_id == study_id)
    highest = connection.scalar(last)
    number = 0 if highest is None else highest + 1
    row = {"study_id": study_id, "number": number, "state": "RUNNING", "datetime_start": started}
    trial_id = connection.execute(insert(optuna_trial).values(row).returning(optuna_trial.c.trial_id)).scalar_one()
    point, distributions = encode(space, plan.hyperparameters), distributions_of(space)
    parameters = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(point[name]),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in distributions.items()
    ]
    if parameters:
        connection.execute(insert(optuna_param), parameters)
    insert_attributes(connection, trial_id, {PLAN: plan_table(plan)})
    return trial_id, number


def end_trial(
    connection: Connection, trial_id: int, state: TrialState, *, ended: datetime, loss: float | None = None
) -> None:
    """End a trial that runs. One that was ended by hand, in the dashboard, stays as it is."""
    runs = (optuna_trial.c.trial_id == trial_id, optuna_trial.c.state == "RUNNING")
    values = {"state": state.name, "datetime_complete": ended}
    found = connection.execute(update(optuna_trial).where(*runs).values(values)).rowcount
    if found and loss is not None:
        value = {"trial_id": trial_id, "objective": 0, "value": loss, "value_type": "FINITE"}
        connection.execute(insert(optuna_value).values(value))


def insert_curve(connection: Connection, trial_id: int, result: TrialResult, *, metric: str) -> None:
    """Store a trial's curve so that optuna-dashboard draws it."""
    values = [each._asdict() for each in intermediate_values(result.curve, metric)]
    if values:
        connection.execute(insert(optuna_intermediate_value), [{"trial_id": trial_id, **each} for each in values])


def insert_attributes(connection: Connection, trial_id: int, attributes: Mapping[str, object]) -> None:
    """Store attributes of a trial that optuna-dashboard shows."""
    rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(each)} for key, each in attributes.items()]
    connection.execute(insert(optuna_user_attribute), rows)

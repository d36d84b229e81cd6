"""Trials in Optuna's tables, for Optuna and its dashboard: written as rows, in the transaction of our own.

Through Optuna's storage a trial would be fifty statements in a dozen transactions, none of them ours.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from optuna.distributions import distribution_to_json
from optuna.trial import TrialState
from sqlalchemy import Connection, func, insert, select, update

from tuner.experiment.distributions import distributions_of, encode
from tuner.experiment.space import SearchSpace
from tuner.records import TrialPlan
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

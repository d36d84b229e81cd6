"""Rounds in Optuna: each round is a study of its own."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from tuner.errors import StoreError
from tuner.records import study_name

LOSS_LABEL = "log2 of steps to target"
"""What the dashboard calls the value of a trial; one that fell short has a larger one than its steps."""


def open_optuna_study(storage: RDBStorage, experiment: str, *, batch_size: int, round: int) -> int:
    """Optuna's study of a round, made if it is not there; its identifier. Cut short, it can be done again."""
    name = study_name(experiment, batch_size, round)
    opened = optuna.create_study(storage=storage, study_name=name, direction="minimize", load_if_exists=True)
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        opened.set_metric_names([LOSS_LABEL])
    for key, value in {"experiment": experiment, "batch_size": batch_size, "round": round}.items():
        opened.set_user_attr(key, value)
    return storage.get_study_id_from_name(name)


@contextmanager
def optuna_errors() -> Iterator[None]:
    """What Optuna raises because its database failed, as the database's own error: Optuna's does not say why."""
    try:
        yield
    except OptunaError as error:
        if isinstance(error.__cause__, SQLAlchemyError):
            raise error.__cause__ from error
        raise StoreError(" ".join(str(error).split())) from error

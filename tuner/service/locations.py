"""Locations of store, tracking server, checkpoints and reports, from flags, environment variables and defaults."""

import os
import re
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import TunerError, shortened
from tuner.passwords import holds_secret
from tuner.records import SHOWN
from tuner.search.checkpoints import CheckpointFolder
from tuner.stores import Records, Store
from tuner.stores.opening import open_progress, open_records, open_store
from tuner.stores.relational.progress_reader import ProgressReader
from tuner.stores.urls import reject_password_in

RUNS = Path("runs")
"""Everything a run writes when nothing is set up, below the current folder."""


def store_url(option: str | None) -> str:
    """The store: `--store`, else `TUNER_STORE`, else SQLite in `runs/`.

    Raises:
        TunerError: `--store` holds a password, which `ps` would show.
    """
    if option is not None:
        reject_password_in(option)
        return option
    return os.environ.get("TUNER_STORE") or f"sqlite:///{RUNS / 'tuner.db'}"


def new_store(option: str | None) -> AbstractContextManager[Store]:
    """The store that `store_url` names, open; made if there is none.

    Raises:
        TunerError: `--store` holds a password.
        StoreError: It cannot be used.
    """
    return closing(open_store(store_url(option)))


def existing_store(option: str | None) -> AbstractContextManager[Store]:
    """The store that `store_url` names, open; for commands that make none.

    Raises:
        TunerError: `--store` holds a password.
        StoreError: There is none, or it cannot be used.
    """
    return closing(open_store(store_url(option), create=False))


def records_in(option: str | None) -> AbstractContextManager[Records]:
    """What the store holds that `store_url` names; for commands that only read it.

    Raises:
        TunerError: `--store` holds a password.
        StoreError: There is none, or it cannot be used.
    """
    return closing(open_records(store_url(option)))


def progress_in(option: str | None) -> AbstractContextManager[ProgressReader]:
    """How far the experiments are in the store that `store_url` names; for commands that make none.

    Raises:
        TunerError: `--store` holds a password.
        StoreError: There is none, or it cannot be used.
    """
    return closing(open_progress(store_url(option)))


def tracking_uri(option: str | None) -> str:
    """MLflow's tracking server or database: `--mlflow`, else `MLFLOW_TRACKING_URI`, else SQLite in `runs/`.

    Raises:
        TunerError: `--mlflow` holds a password, which `ps` would show.
    """
    if option is not None:
        if holds_secret(option):
            message = "the URI given with --mlflow holds a password, which ps shows to everyone on this machine"
            raise TunerError(f"{message}; use the variable MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_PASSWORD")
        return option
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{RUNS / 'mlflow.db'}"


def dashboard_names(option: str | None) -> tuple[str, ...]:
    """The names under which optuna-dashboard may be asked for: `--allowed-hosts`, else `TUNER_DASHBOARD_HOSTS`."""
    given = os.environ.get("TUNER_DASHBOARD_HOSTS", "") if option is None else option
    return tuple(name for each in given.split(",") if (name := each.strip()))


def curve_points(option: int | None) -> int:
    """Measurements of each curve that MLflow gets: `--curve-points`, else `TUNER_MLFLOW_POINTS`, else 10.

    Raises:
        TunerError: The variable holds no positive number.
    """
    if option is not None:
        return option
    given = os.environ.get("TUNER_MLFLOW_POINTS") or str(SHOWN)
    if not re.fullmatch(r"[1-9][0-9]{0,3}|10000", given):
        message = f"TUNER_MLFLOW_POINTS = {given} is no whole number from 1 to 10,000; {SHOWN} is the default"
        raise TunerError(shortened(message))
    return int(given)


def checkpoint_folder(option: str | None, *, every: float) -> CheckpointFolder | None:
    """The folder of checkpoints, made if need be: `--checkpoints`, else `TUNER_CHECKPOINTS`, else none.

    Raises:
        CheckpointError: Nothing can be written there.
    """
    named = option or os.environ.get("TUNER_CHECKPOINTS")
    if not named:
        return None
    folder = CheckpointFolder(Path(named).absolute(), every)
    folder.check()
    return folder


@dataclass(frozen=True, slots=True)
class RunLocations:
    """Where a run keeps what it measures.

    Attributes:
        store: The store's URL. May hold a password.
        tracking: MLflow's tracking server or database. May hold a password.
        report: The folder of the report.
        checkpoints: Where running trials are saved; nowhere if None.
        curve_points: Measurements of each curve that MLflow gets.
    """

    store: str
    tracking: str
    report: Path
    checkpoints: CheckpointFolder | None = None
    curve_points: int = SHOWN


def run_locations(
    experiment: str,
    *,
    store: str | None,
    mlflow: str | None,
    checkpoints: str | None,
    every: float,
    points: int | None = None,
) -> RunLocations:
    """The locations of a run of this experiment, from options, else environment variables, else defaults.

    Raises:
        TunerError: An option holds a password, the store and MLflow would share a database, or `TUNER_MLFLOW_POINTS` is
            no number.
        CheckpointError: Nothing can be written to the folder of checkpoints.
    """
    where = RunLocations(
        store_url(store),
        tracking_uri(mlflow),
        report_folder(experiment),
        checkpoint_folder(checkpoints, every=every),
        curve_points(points),
    )
    refuse_shared(where.store, where.tracking)
    return where


def refuse_shared(store: str, tracking: str) -> None:
    """Optuna and MLflow both keep their version in a table named `alembic_version`.

    Raises:
        TunerError: They would share a database.
    """
    if store == tracking:
        raise TunerError("the store and MLflow need a database each; change TUNER_STORE or MLFLOW_TRACKING_URI")


def report_folder(experiment: str) -> Path:
    """Where an experiment's report is written."""
    return RUNS / experiment

"""Deleting an experiment, in our tables and in Optuna's; and forgetting the results that errors were."""

from collections.abc import Collection

from sqlalchemy import Connection, MetaData, delete, select, union, update

from tuner.stores.relational.tables import (
    NO_STUDY,
    experiment,
    experiment_growth,
    optuna_study,
    optuna_trial,
    study,
    timing,
    trial_end,
)
from tuner.trial import Outcome

IS_ERROR = trial_end.c.outcome == Outcome.ERROR.value


def delete_experiment(connection: Connection, experiment_id: int) -> None:
    """Delete an experiment with its studies, trials and curves, in the connection's transaction.

    The tables that refer to studies or trials are found by their columns, so that no table of Optuna is forgotten.
    Ends and curves of trials that were deleted in a dashboard go too.
    """
    studies = select(study.c.study_id).where(study.c.experiment_id == experiment_id)
    trials = union(
        select(optuna_trial.c.trial_id).where(optuna_trial.c.study_id.in_(studies)),
        select(trial_end.c.trial_id).where(trial_end.c.study_id.in_(studies)),
    )
    tables = MetaData()
    tables.reflect(connection)
    last = (trial_end.name, optuna_trial.name, study.name, optuna_study.name)  # the queries above read these
    others = [each for each in reversed(tables.sorted_tables) if each.name not in last]
    for table in others:
        if "trial_id" in table.c:
            connection.execute(delete(table).where(table.c.trial_id.in_(select(trials.subquery().c.trial_id))))
        elif "study_id" in table.c:
            connection.execute(delete(table).where(table.c.study_id.in_(studies)))
    of_trials = select(optuna_trial.c.trial_id).where(optuna_trial.c.study_id.in_(studies))
    connection.execute(delete(trial_end).where(trial_end.c.study_id == NO_STUDY, trial_end.c.trial_id.in_(of_trials)))
    for ends in (trial_end, optuna_trial):
        connection.execute(delete(ends).where(ends.c.study_id.in_(studies)))
    identifiers = connection.scalars(studies).all()
    connection.execute(delete(study).where(study.c.experiment_id == experiment_id))
    connection.execute(delete(optuna_study).where(optuna_study.c.study_id.in_(identifiers)))
    connection.execute(delete(timing).where(timing.c.experiment_id == experiment_id))
    connection.execute(delete(experiment_growth).where(experiment_growth.c.experiment_id == experiment_id))
    connection.execute(delete(experiment).where(experiment.c.experiment_id == experiment_id))


def forget_errors(connection: Connection, experiment_id: int) -> None:
    """Take from the trials that an error ended that this is their result, in the studies that were set aside.

    The trials are kept as failed, with their reasons and curves. Their points have no result, so they run again. The
    ends stay as rows that belong to no study: a worker's role may delete none.
    """
    of_experiment = study.c.experiment_id == experiment_id
    aside = select(study.c.batch_size).where(of_experiment, study.c.error.is_not(None))
    rounds = select(study.c.study_id).where(of_experiment, study.c.batch_size.in_(aside))
    connection.execute(update(trial_end).where(trial_end.c.study_id.in_(rounds), IS_ERROR).values(study_id=NO_STUDY))


def forget_errors_of(connection: Connection, trials: Collection[tuple[int, int]]) -> None:
    """As `forget_errors`, for trials given by the identifier of their round and their number in it."""
    for study_id in {each for each, _ in trials}:
        numbers = [number for of, number in trials if of == study_id]
        chosen = select(optuna_trial.c.trial_id).where(
            optuna_trial.c.study_id == study_id, optuna_trial.c.number.in_(numbers)
        )
        ended = (trial_end.c.study_id == study_id, trial_end.c.trial_id.in_(chosen))
        connection.execute(update(trial_end).where(*ended, IS_ERROR).values(study_id=NO_STUDY))

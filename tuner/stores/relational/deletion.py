"""Deleting an experiment: every row that belongs to it, in our tables and in Optuna's."""

from sqlalchemy import Connection, MetaData, delete, select, union

from tuner.stores.relational.tables import experiment, optuna_study, optuna_trial, study, trial_end


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
    for ends in (trial_end, optuna_trial):
        connection.execute(delete(ends).where(ends.c.study_id.in_(studies)))
    identifiers = connection.scalars(studies).all()
    connection.execute(delete(study).where(study.c.experiment_id == experiment_id))
    connection.execute(delete(optuna_study).where(optuna_study.c.study_id.in_(identifiers)))
    connection.execute(delete(experiment).where(experiment.c.experiment_id == experiment_id))

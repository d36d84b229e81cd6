"""Adding work to an experiment that is stored, and what was added."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select, update

from tuner.errors import DamagedRecord
from tuner.experiment import Experiment
from tuner.records import Growth, Stage
from tuner.stores import checking
from tuner.stores.checking import reading
from tuner.stores.relational.reading import StoredExperiment
from tuner.stores.relational.tables import experiment, experiment_growth, study

FIRST_ROUND = 1


def insert_studies(connection: Connection, experiment_id: int, opened: Mapping[int, int]) -> None:
    """Store the studies of some batch sizes.

    Args:
        connection: Whose transaction it is.
        experiment_id: The experiment.
        opened: The identifier of Optuna's study of the first round, by batch size.
    """
    rows = [
        {"study_id": study_id, "experiment_id": experiment_id, "batch_size": batch_size, "round": FIRST_ROUND}
        for batch_size, study_id in opened.items()
    ]
    if rows:
        connection.execute(insert(study), rows)


def grow(
    connection: Connection, found: StoredExperiment, grown: Experiment, added: Sequence[str], opened: Mapping[int, int]
) -> None:
    """Store that an experiment has more work to do: its studies are open again, from the search on.

    A worker that has a study finds its claim lost at its next write, and takes the study again as it is now.

    Args:
        connection: Whose transaction it is.
        found: The experiment as it is stored.
        grown: The settings from now on.
        added: What was added, in phrases.
        opened: As for `insert_studies`: the new batch sizes.
    """
    values = {"added": json.dumps(list(added)), "settings": json.dumps(found.settings.to_table())}
    row = {"experiment_id": found.experiment_id, "time": datetime.now(UTC), **values}
    connection.execute(insert(experiment_growth).values(row))
    one = experiment.c.experiment_id == found.experiment_id
    connection.execute(update(experiment).where(one).values(settings=json.dumps(grown.to_table())))
    _open_again(connection, found.experiment_id)
    insert_studies(connection, found.experiment_id, opened)


def read_growth(connection: Connection, experiment_id: int, name: str) -> tuple[tuple[Growth, ...], tuple[str, ...]]:
    """What was added to an experiment of this name, oldest first; and what is wrong with that which is damaged."""
    table = experiment_growth
    query = (
        select(table.c.time, table.c.added).where(table.c.experiment_id == experiment_id).order_by(table.c.growth_id)
    )
    grown, damaged = [], []
    for time, added in connection.execute(query):
        try:
            with reading(f"what was added to {name}"):
                phrases = [checking.text(each, "phrase") for each in json.loads(added)]
                grown.append(Growth(checking.time(time, "time"), tuple(phrases)))
        except DamagedRecord as error:
            damaged.append(str(error))
    return tuple(grown), tuple(damaged)


def _open_again(connection: Connection, experiment_id: int) -> None:
    """Open the last round of every study, from the search on; one that was looked at again is looked at once more."""
    of_experiment = study.c.experiment_id == experiment_id
    rounds = select(study.c.batch_size, func.max(study.c.round)).where(of_experiment).group_by(study.c.batch_size)
    for batch_size, last in connection.execute(rounds).all():
        current = (of_experiment, study.c.batch_size == batch_size, study.c.round == last)
        connection.execute(update(study).where(*current).values(complete=False))
    first = (of_experiment, study.c.round == FIRST_ROUND)
    connection.execute(update(study).where(*first).values(epoch=study.c.epoch + 1))
    connection.execute(update(study).where(*first, study.c.stage != Stage.SECOND_LOOK).values(stage=Stage.SEARCH))

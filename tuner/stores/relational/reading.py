"""Reading the record. Each function is one query, however many trials there are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, Integer, Row, and_, exists, select, type_coerce

from tuner.errors import ConfigError, DamagedRecord, StoreError
from tuner.experiment import Experiment, from_table, read_space
from tuner.experiment.space import SearchSpace
from tuner.records import (
    ExperimentState,
    Holder,
    Stage,
    StudyStage,
    waits_for,
)
from tuner.stores import checking
from tuner.stores.checking import reading
from tuner.stores.database import Database
from tuner.stores.relational.tables import (
    experiment,
    study,
)


@dataclass(frozen=True, slots=True)
class StoredExperiment:
    """An experiment and its identifier."""

    experiment_id: int
    settings: Experiment
    state: ExperimentState


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A round of a study, without its trials.

    Attributes:
        space: Its own; None if that is the experiment's.
        holder, error, stage: As in `StudyRecord`; kept in the first round.
        deaths: How many owners in a row, the last included, have not finished a trial and not handed it back; kept in
            the first round.
    """

    study_id: int
    batch_size: int
    round: int
    complete: bool
    space: SearchSpace | None
    holder: Holder | None = None
    error: str = ""
    stage: Stage = Stage.SEARCH
    deaths: int = 0


def experiment_names(connection: Connection) -> list[str]:
    """The experiments stored, oldest first."""
    return list(connection.scalars(select(experiment.c.name).order_by(experiment.c.experiment_id)))


def find_experiment(connection: Connection, name: str) -> StoredExperiment | None:
    """The experiment of a name, if there is one. Raises `DamagedRecord` if it means nothing to this version."""
    rows = connection.execute(select(experiment).where(experiment.c.name == name)).all()
    if len(rows) > 1:
        raise DamagedRecord(f"{name} cannot be read: there are {len(rows)} experiments of this name")
    return stored_experiment(rows[0]) if rows else None


def experiment_rows(connection: Connection) -> Sequence[Row[*tuple[object, ...]]]:
    """All experiments as they are stored, oldest first; each may be damaged."""
    return connection.execute(select(experiment).order_by(experiment.c.experiment_id)).all()


def experiment_id(connection: Connection, name: str, *, url: str) -> int:
    """The identifier of an experiment, which need not be readable. Raises `StoreError` if there is none."""
    found: int | None = connection.scalar(select(experiment.c.experiment_id).where(experiment.c.name == name))
    if found is None:
        known = ", ".join(map(str, experiment_names(connection))) or "none yet"
        raise StoreError(f"there is no experiment {name} in {url}; stored: {known}")
    return found


def existing_experiment(connection: Connection, name: str, *, url: str) -> StoredExperiment:
    """The experiment of a name, which must be there.

    Raises:
        StoreError: There is none of this name; says which there are in the store at `url`.
        DamagedRecord: It means nothing to this version.
    """
    experiment_id(connection, name, url=url)
    found = find_experiment(connection, name)
    assert found is not None
    return found


def find_rounds(
    connection: Connection, name: str, batch_size: int, *, url: str
) -> tuple[StoredExperiment, list[StoredStudy]]:
    """An experiment and the rounds of one of its studies, oldest first. Raises `StoreError` if it is not there."""
    found = existing_experiment(connection, name, url=url)
    studies = stored_rounds(found, study_rows(connection, [found.experiment_id]))
    if batch_size not in studies:
        known = ", ".join(map(str, studies))
        raise StoreError(f"{name} has no study of batch size {batch_size}; it has {known}")
    return found, studies[batch_size]


def lock_name(name: str, batch_size: int) -> str:
    """The lock of a study."""
    return f"{name}/batch_size={batch_size}"


def claimed_studies(connection: Connection, database: Database) -> frozenset[tuple[str, int]]:
    """The studies, by experiment and batch size, that a living worker has claimed now."""
    held = {lock_name(*each): each for each in held_studies(connection)}
    return frozenset(held[each] for each in database.taken(connection, held))


def open_studies(connection: Connection) -> list[tuple[str, int, tuple[int, ...]]]:
    """The studies to be searched, as `Store.open_studies` has them: experiment, batch size, and what each waits for."""
    each_round = study.alias()
    same = and_(each_round.c.experiment_id == study.c.experiment_id, each_round.c.batch_size == study.c.batch_size)
    is_complete = ~exists().where(same, ~each_round.c.complete).correlate(study)
    unfinished = select(each_round.c.experiment_id).where(~each_round.c.complete)
    query = (
        select(experiment.c.name, study.c.batch_size, study.c.stage, study.c.error, is_complete.label("complete"))
        .join(study, study.c.experiment_id == experiment.c.experiment_id)
        .where(experiment.c.state == ExperimentState.OPEN, study.c.round == 1)
        .where(experiment.c.experiment_id.in_(unfinished))
        .order_by(experiment.c.experiment_id, study.c.batch_size.desc())
    )
    found = []
    for name, rows in groupby(connection.execute(query), key=lambda row: row.name):
        each_study = list(rows)
        try:
            with reading(f"{name}"):
                stages = [_study_stage(row) for row in each_study]
                found += [
                    (name, each.batch_size, waits_for(each.batch_size, stages)) for each in stages if not each.is_over
                ]
        except DamagedRecord:
            # Whoever claims one is told what is damaged.
            found += [(name, row.batch_size, ()) for row in each_study if isinstance(row.batch_size, int)]
    return found


def _study_stage(row: Row[*tuple[object, ...]]) -> StudyStage:
    stage = checking.word(Stage, row.stage, "stage")
    return StudyStage(checking.whole(row.batch_size, "batch size"), stage, bool(row.complete) or row.error is not None)


def held_studies(connection: Connection) -> list[tuple[str, int]]:
    """The studies that a worker has claimed and not handed back, by experiment and batch size."""
    query = select(experiment.c.name, study.c.batch_size).join(experiment).where(study.c.worker.is_not(None))
    return [(name, size) for name, size in connection.execute(query)]


def study_rows(
    connection: Connection, experiment_ids: Collection[int]
) -> Mapping[int, Sequence[Row[*tuple[object, ...]]]]:
    """The rounds of experiments as they are stored, by the experiment's identifier; each may be damaged."""
    query = (
        select(
            *(each for each in study.c if each is not study.c.complete),
            type_coerce(study.c.complete, Integer).label("complete"),
        )
        .where(study.c.experiment_id.in_(experiment_ids))
        .order_by(study.c.experiment_id, study.c.batch_size, study.c.round)
    )
    return {key: list(rows) for key, rows in groupby(connection.execute(query), key=lambda row: row.experiment_id)}


def stored_rounds(
    found: StoredExperiment, rows: Mapping[int, Sequence[Row[*tuple[object, ...]]]]
) -> dict[int, list[StoredStudy]]:
    """The rounds of each batch size of an experiment, oldest first, smallest batch size first.

    Raises:
        DamagedRecord: One of them cannot be read, or is missing.
    """
    name = found.settings.name
    rounds: dict[int, list[StoredStudy]] = {}
    for row in rows.get(found.experiment_id, ()):
        with reading(f"{name}, batch size {row.batch_size}, round {row.round}"):
            stored = _stored_study(row)
            rounds.setdefault(stored.batch_size, []).append(stored)
    with reading(name):
        for size in sorted(set(found.settings.batch_sizes) ^ rounds.keys()):
            raise ValueError(f"batch size {size} is {'unknown to its settings' if size in rounds else 'missing'}")
        for size, each in rounds.items():
            if [one.round for one in each] != list(range(1, len(each) + 1)):
                raise ValueError(f"batch size {size} has the rounds {', '.join(str(one.round) for one in each)}")
    return rounds


def stored_experiment(row: Row[*tuple[object, ...]]) -> StoredExperiment:
    """An experiment from its row. Raises `DamagedRecord`."""
    with reading(f"the experiment {row.name}" if isinstance(row.name, str) else f"experiment {row.experiment_id}"):
        settings = _settings(row.name, checking.table(row.settings, "settings"))
        if settings.name != row.name:
            raise ValueError(f"its settings are those of {checking.shown(settings.name)}")
        state = checking.word(ExperimentState, row.state, "state")
        return StoredExperiment(checking.whole(row.experiment_id, "identifier"), settings, state)


def _settings(name: str, stored: Mapping[str, object]) -> Experiment:
    """An experiment from its stored settings. Raises `DamagedRecord`."""
    try:
        return from_table(stored)
    except ConfigError as error:
        message = f"the stored settings of {name} mean nothing to this version of tuner: {error.problems[0]}"
        raise DamagedRecord(message) from error


def _stored_study(row: Row[*tuple[object, ...]]) -> StoredStudy:
    """A round from its row. Raises errors as `rows.plan_from` does."""
    space = None if row.space is None else read_space(checking.table(row.space, "space"))
    holder = None
    if row.worker is not None:
        worker, device = checking.text(row.worker, "worker"), checking.text(row.device, "device")
        holder = Holder(worker, device, checking.time(row.claimed, "claim"))
    return StoredStudy(
        checking.whole(row.study_id, "identifier"),
        checking.whole(row.batch_size, "batch size", least=1),
        checking.whole(row.round, "round", least=1),
        checking.truth(row.complete, "completeness"),
        space,
        holder,
        "" if row.error is None else checking.text(row.error, "error"),
        checking.word(Stage, row.stage, "stage"),
        checking.whole(row.deaths, "deaths"),
    )

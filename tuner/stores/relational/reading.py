"""Reading the record. Each function is one query, however many trials there are."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from sqlalchemy import Connection, Row, and_, exists, func, select

from tuner.errors import ConfigError, StoreError
from tuner.experiment import Experiment, from_table, read_space
from tuner.experiment.space import SearchSpace
from tuner.records import (
    Curve,
    ExperimentState,
    Holder,
    Stage,
    StudyRecord,
    StudyStage,
    TrialRecord,
    TrialState,
    waits_for,
)
from tuner.stores.database import Database
from tuner.stores.relational.rows import PLAN, curves_from, end_from, plan_from
from tuner.stores.relational.tables import (
    NO_STUDY,
    experiment,
    measurement,
    optuna_trial,
    optuna_user_attribute,
    study,
    trial_end,
    trial_failure,
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
    """The experiment of a name, if there is one. Raises `StoreError` if its settings mean nothing to this version."""
    row = connection.execute(select(experiment).where(experiment.c.name == name)).one_or_none()
    return None if row is None else _stored_experiment(row)


def find_experiments(connection: Connection, name: str | None, *, url: str) -> list[StoredExperiment]:
    """The experiment of a name, which must be there, or all of them, oldest first.

    Raises:
        StoreError: There is none of this name; says which there are in the store at `url`. Or the settings of one mean
            nothing to this version.
    """
    if name is not None:
        return [existing_experiment(connection, name, url=url)]
    query = select(experiment).order_by(experiment.c.experiment_id)
    return [_stored_experiment(row) for row in connection.execute(query)]


def existing_experiment(connection: Connection, name: str, *, url: str) -> StoredExperiment:
    """The experiment of a name, which must be there. Raises `StoreError` as `find_experiments` does."""
    found = find_experiment(connection, name)
    if found is None:
        known = ", ".join(experiment_names(connection)) or "none yet"
        raise StoreError(f"there is no experiment {name} in {url}; stored: {known}")
    return found


def find_rounds(
    connection: Connection, name: str, batch_size: int, *, url: str
) -> tuple[StoredExperiment, list[StoredStudy]]:
    """An experiment and the rounds of one of its studies, oldest first. Raises `StoreError` if it is not there."""
    found = existing_experiment(connection, name, url=url)
    studies = stored_rounds(connection, [found.experiment_id])[found.experiment_id]
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
        stages = [StudyStage(row.batch_size, Stage(row.stage), row.complete or row.error is not None) for row in rows]
        found += [(name, each.batch_size, waits_for(each.batch_size, stages)) for each in stages if not each.is_over]
    return found


def held_studies(connection: Connection) -> list[tuple[str, int]]:
    """The studies that a worker has claimed and not handed back, by experiment and batch size."""
    query = select(experiment.c.name, study.c.batch_size).join(experiment).where(study.c.worker.is_not(None))
    return [(name, size) for name, size in connection.execute(query)]


def stored_rounds(connection: Connection, experiment_ids: Collection[int]) -> dict[int, dict[int, list[StoredStudy]]]:
    """The rounds of each batch size, oldest first, smallest batch size first; by the experiment's identifier."""
    query = (
        select(study)
        .where(study.c.experiment_id.in_(experiment_ids))
        .order_by(study.c.experiment_id, study.c.batch_size, study.c.round)
    )
    found: dict[int, dict[int, list[StoredStudy]]] = {each: {} for each in experiment_ids}
    for row in connection.execute(query):
        found[row.experiment_id].setdefault(row.batch_size, []).append(_stored_study(row))
    return found


def read_studies(
    connection: Connection, found: StoredExperiment, *, batch_size: int | None = None
) -> tuple[StudyRecord, ...]:
    """An experiment's studies as they stand now, or only that of a batch size."""
    rounds = stored_rounds(connection, [found.experiment_id])[found.experiment_id]
    wanted = [each for size, each in rounds.items() if batch_size in (None, size)]
    trials = read_trials(connection, [one.study_id for each in wanted for one in each])
    return tuple(_study_record(each, trials, space=found.settings.space) for each in wanted)


def read_trials(connection: Connection, study_ids: Sequence[int]) -> Mapping[int, tuple[TrialRecord, ...]]:
    """The trials of rounds, in order of number, by the round's identifier; those without trials are left out."""
    attribute = optuna_user_attribute
    query = (
        select(
            optuna_trial.c.study_id,
            study.c.round,
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
        .join(study, study.c.study_id == optuna_trial.c.study_id)
        .join(attribute, and_(attribute.c.trial_id == optuna_trial.c.trial_id, attribute.c.key == PLAN))
        .outerjoin(trial_end, and_(trial_end.c.trial_id == optuna_trial.c.trial_id, trial_end.c.study_id != NO_STUDY))
        .outerjoin(trial_failure, trial_failure.c.trial_id == optuna_trial.c.trial_id)
        .where(optuna_trial.c.study_id.in_(study_ids))
        .order_by(optuna_trial.c.study_id, optuna_trial.c.number)
    )
    rows = connection.execute(query)
    return {key: tuple(map(_trial_record, group)) for key, group in groupby(rows, key=lambda row: row.study_id)}


def read_curves(connection: Connection, study_id: int) -> dict[int, Curve]:
    """The curves of a round's finished trials, by number."""
    query = (
        select(optuna_trial.c.number, *(measurement.c[each] for each in ("step", "metric", "value", "examples")))
        .join(measurement, measurement.c.trial_id == optuna_trial.c.trial_id)
        .where(optuna_trial.c.study_id == study_id)
        .order_by(optuna_trial.c.number, measurement.c.step)
    )
    return dict(curves_from(connection.execute(query).all()))


def _study_record(
    rounds: Sequence[StoredStudy], trials: Mapping[int, tuple[TrialRecord, ...]], *, space: SearchSpace
) -> StudyRecord:
    """A study from its rounds, oldest first, and their trials; `space` is that of a round without its own."""
    records = [
        StudyRecord(each.batch_size, each.round, each.space or space, each.complete, trials.get(each.study_id, ()))
        for each in rounds
    ]
    first = rounds[0]
    return replace(records[-1], earlier=tuple(records[:-1]), holder=first.holder, error=first.error, stage=first.stage)


def _stored_experiment(row: Row[*tuple[object, ...]]) -> StoredExperiment:
    """An experiment from its row. Raises `StoreError`."""
    try:
        settings = from_table(json.loads(row.settings))
    except ConfigError as error:
        message = f"the stored settings of {row.name} mean nothing to this version of tuner: {error.problems[0]}"
        raise StoreError(message) from error
    return StoredExperiment(row.experiment_id, settings, ExperimentState(row.state))


def _stored_study(row: Row[*tuple[object, ...]]) -> StoredStudy:
    """A round from its row."""
    space = None if row.space is None else read_space(json.loads(row.space))
    holder = None if row.worker is None else Holder(row.worker, row.device, row.claimed)
    ours = (holder, row.error or "", Stage(row.stage), row.deaths)
    return StoredStudy(row.study_id, row.batch_size, row.round, row.complete, space, *ours)


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
    return TrialRecord(row.number, plan_from(row.plan), state, end, row.reason or "", row.started, row.ended, row.round)

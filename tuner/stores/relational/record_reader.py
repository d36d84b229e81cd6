"""Reading what was measured, without Optuna, whose import takes longer than the queries of any report."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import groupby

from sqlalchemy import Connection, Engine, Row, String, and_, select, type_coerce

from tuner.errors import DamagedRecord, StoreError
from tuner.experiment import Experiment
from tuner.records import EVERYTHING, Curve, ExperimentRecord, StudyRecord, TrialRecord, Wanted
from tuner.stores.checking import reading
from tuner.stores.database import Database, store_errors
from tuner.stores.relational.growing import read_growth
from tuner.stores.relational.reading import (
    StoredExperiment,
    StoredStudy,
    existing_experiment,
    find_rounds,
    stored_rounds,
    study_rows,
)
from tuner.stores.relational.rows import PLAN, TOLD, curve_from, trial_from
from tuner.stores.relational.tables import (
    measurement,
    optuna_trial,
    optuna_user_attribute,
    study,
    trial_end,
    trial_failure,
)
from tuner.stores.relational.timings import read_timings
from tuner.stores.relational.upgrades import stored_identity
from tuner.stores.urls import visible

log = logging.getLogger(__name__)

WARNED = 20
"""Damaged rows that are named."""


@dataclass(frozen=True, slots=True)
class RoundTrials:
    """The trials of a round, in order of number, without those that are damaged, and what is wrong with these."""

    trials: tuple[TrialRecord, ...]
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads the records of a store that has our tables."""

    database: Database
    engine: Engine

    @property
    def url(self) -> str:
        return visible(self.database.location)

    def identity(self) -> str:
        with self._errors(), self.engine.connect() as connection:
            return stored_identity(connection)

    def record(self, name: str) -> ExperimentRecord:
        """As `Records.record` has it; what is left out because it cannot be read is logged."""
        found = self.read(name)
        _warn(found.damaged)
        return found

    def read(self, name: str) -> ExperimentRecord:
        """The record, with what is left out of it."""
        with self._errors(), self.engine.connect() as connection:
            found = existing_experiment(connection, name, url=self.url)
            growth, damaged = read_growth(connection, found.experiment_id, name)
            timings, unread = read_timings(connection, found.experiment_id, name)
            studies = read_studies(connection, found)
        damaged = tuple(phrase for each in studies for phrase in each.damaged) + damaged + unread
        return ExperimentRecord(found.settings, studies, found.state, growth, damaged, timings)

    def curves(self, name: str, batch_size: int, *, round: int = 1, wanted: Wanted = EVERYTHING) -> Mapping[int, Curve]:
        with self._errors(), self.engine.connect() as connection:
            _, rounds = find_rounds(connection, name, batch_size, url=self.url)
            if not 1 <= round <= len(rounds):
                known = f"it has {len(rounds)}, from 1"
                raise StoreError(f"batch size {batch_size} of {name} has no round {round}; {known}")
            curves, damaged = read_curves(connection, rounds[round - 1], name, wanted)
        _warn(damaged)
        return curves

    def close(self) -> None:
        self.engine.dispose()

    def _errors(self) -> AbstractContextManager[None]:
        return store_errors(f"the store {self.url} failed")


def read_studies(
    connection: Connection, found: StoredExperiment, *, batch_size: int | None = None
) -> tuple[StudyRecord, ...]:
    """An experiment's studies as they stand now, or only that of a batch size.

    What is damaged of their trials is left out, and named (`StudyRecord.damaged`).

    Raises:
        DamagedRecord: A study cannot be read.
    """
    rounds = stored_rounds(found, study_rows(connection, [found.experiment_id]))
    wanted = [each for size, each in rounds.items() if batch_size in (None, size)]
    trials = read_trials(connection, [one for each in wanted for one in each], found.settings)
    return tuple(_study_record(each, trials, found.settings) for each in wanted)


def read_trials(
    connection: Connection, studies: Sequence[StoredStudy], settings: Experiment
) -> Mapping[int, RoundTrials]:
    """The trials of rounds, in order of number, by the round's identifier."""
    attribute, told = optuna_user_attribute, optuna_user_attribute.alias()
    trial_id = optuna_trial.c.trial_id
    query = (
        select(
            optuna_trial.c.study_id,
            study.c.round,
            optuna_trial.c.number,
            type_coerce(optuna_trial.c.state, String).label("state"),
            optuna_trial.c.datetime_start.label("started"),
            attribute.c.value_json.label("plan"),
            told.c.value_json.label("told"),
            trial_end.c.trial_id.label("end_id"),
            trial_end.c.study_id.label("end_study"),
            *(trial_end.c[each] for each in ("outcome", "steps", "limit", "spent", "loss", "final", "role", "ended")),
            trial_failure.c.trial_id.label("failed_id"),
            trial_failure.c.reason,
            trial_failure.c.ended.label("failed"),
        )
        .join(study, study.c.study_id == optuna_trial.c.study_id)
        .outerjoin(attribute, and_(attribute.c.trial_id == trial_id, attribute.c.key == PLAN))
        .outerjoin(told, and_(told.c.trial_id == trial_id, told.c.key == TOLD))
        .outerjoin(trial_end, trial_end.c.trial_id == trial_id)
        .outerjoin(trial_failure, trial_failure.c.trial_id == trial_id)
        .where(optuna_trial.c.study_id.in_([each.study_id for each in studies]))
        .order_by(optuna_trial.c.study_id, optuna_trial.c.number)
    )
    rows = {key: list(group) for key, group in groupby(connection.execute(query), key=lambda row: row.study_id)}
    lost = _results_without_a_trial(connection, studies)
    return {
        each.study_id: _round_trials(rows.get(each.study_id, ()), each, settings, lost=lost[each.study_id])
        for each in studies
    }


def _results_without_a_trial(connection: Connection, studies: Sequence[StoredStudy]) -> Counter[int]:
    """How many results there are in rounds whose trials are not, by the round's identifier."""
    same = and_(optuna_trial.c.trial_id == trial_end.c.trial_id, optuna_trial.c.study_id == trial_end.c.study_id)
    query = (
        select(trial_end.c.study_id)
        .outerjoin(optuna_trial, same)
        .where(trial_end.c.study_id.in_([each.study_id for each in studies]), optuna_trial.c.trial_id.is_(None))
    )
    return Counter(connection.scalars(query))


def _round_trials(
    rows: Sequence[Row[*tuple[object, ...]]], stored: StoredStudy, settings: Experiment, *, lost: int
) -> RoundTrials:
    """The trials of a round from their rows, and what is damaged."""
    where = f"{settings.name}, batch size {stored.batch_size}, round {stored.round}"
    trials, damaged = [], []
    numbers = Counter(row.number for row in rows)
    for row in rows:
        try:
            with reading(f"{where}, trial {row.number}"):
                if numbers[row.number] > 1:
                    raise ValueError("it is there twice")
                found = trial_from(row, settings.space.parameters.keys())
        except DamagedRecord as error:
            damaged.append(str(error))
        else:
            trials += [found] if found is not None else []
    missing = set(range(len(numbers))) - numbers.keys()
    if missing or lost:
        shown = f"trial {min(missing)}" if missing else f"{lost} of its trials"
        damaged.append(f"{where} cannot be read whole: {shown} is missing")
    return RoundTrials(tuple(trials), tuple(dict.fromkeys(damaged)))


def read_curves(
    connection: Connection, stored: StoredStudy, name: str, wanted: Wanted
) -> tuple[dict[int, Curve], Sequence[str]]:
    """The curves of a round's finished trials, by number; and of those that are damaged, what is wrong."""
    whole = not wanted.metrics
    query = (
        select(
            optuna_trial.c.number,
            *(measurement.c[each] for each in ("step", "metric", "value", "examples")),
            *(trial_end.c[each] for each in ("spent", "final") if whole),
        )
        .join(measurement, measurement.c.trial_id == optuna_trial.c.trial_id)
        .outerjoin(trial_end, trial_end.c.trial_id == optuna_trial.c.trial_id)
        .where(optuna_trial.c.study_id == stored.study_id)
        .order_by(optuna_trial.c.number, measurement.c.step, measurement.c.metric)
    )
    if wanted.roles:
        query = query.where(trial_end.c.role.in_([each.value for each in wanted.roles]))
    if wanted.metrics:
        query = query.where(measurement.c.metric.in_(wanted.metrics))
    curves: dict[int, Curve] = {}
    damaged = []
    for number, rows in groupby(connection.execute(query).all(), key=lambda row: row.number):
        try:
            where = f"{name}, batch size {stored.batch_size}, round {stored.round}, trial {number}"
            with reading(f"the curve of {where}"):
                curves[number] = curve_from(rows, whole=whole)
        except DamagedRecord as error:
            damaged.append(str(error))
    return curves, damaged


def _study_record(
    rounds: Sequence[StoredStudy], trials: Mapping[int, RoundTrials], settings: Experiment
) -> StudyRecord:
    """A study from its rounds, oldest first, and their trials. The space of a round without its own is the first."""
    first = rounds[0]
    space = settings.space.at(first.batch_size)
    records = [
        StudyRecord(each.batch_size, each.round, each.space or space, each.complete, trials[each.study_id].trials)
        for each in rounds
    ]
    return replace(
        records[-1],
        earlier=tuple(records[:-1]),
        holder=first.holder,
        error=first.error,
        stage=first.stage,
        damaged=tuple(phrase for each in rounds for phrase in trials[each.study_id].damaged),
    )


def refuse_damaged(studies: Sequence[StudyRecord]) -> None:
    """Raise `DamagedRecord` if something is left out of these studies: a search must not go on without it."""
    damaged = [phrase for each in studies for phrase in each.damaged]
    if damaged:
        more = f"; and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        raise DamagedRecord(f"{damaged[0]}{more}")


def _warn(damaged: Sequence[str]) -> None:
    for phrase in damaged[:WARNED]:
        log.warning("warning: %s; it is left out", phrase)
    if len(damaged) > WARNED:
        log.warning("warning: and %s more", len(damaged) - WARNED)

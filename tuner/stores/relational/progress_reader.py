"""Reading the progress of experiments: the database counts, and no curve or single trial is read.

Optuna is not imported, because its import would take longer than the queries.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Double, Engine, String, and_, case, cast, func, literal, or_, select

from tuner.errors import DamagedRecord
from tuner.records import CONFIRMATION, INTERRUPTIONS, Role
from tuner.records.progress import ExperimentProgress, StoreProgress, StudyProgress, Unreadable
from tuner.stores.checking import reading
from tuner.stores.database import Database, store_errors
from tuner.stores.relational.reading import (
    StoredExperiment,
    StoredStudy,
    claimed_studies,
    existing_experiment,
    experiment_rows,
    stored_experiment,
    stored_rounds,
    study_rows,
)
from tuner.stores.relational.rows import PLAN, plan_from
from tuner.stores.relational.tables import NO_STUDY, optuna_trial, optuna_user_attribute, trial_end, trial_failure
from tuner.stores.urls import visible
from tuner.trial import Outcome

IS_SOUND = and_(
    trial_end.c.outcome.in_(list(Outcome)),
    trial_end.c.role.in_(list(Role)),
    trial_end.c.steps >= 0,
    cast(trial_end.c.steps, BigInteger) == trial_end.c.steps,
    or_(trial_end.c.outcome != Outcome.FINISHED, cast(trial_end.c.loss, Double) == trial_end.c.loss),
)
"""Whether a result can be counted. SQLite keeps what it is given: in a column of numbers a text, which is more than
every number."""

POWER = "2^"
"""What the text of a score begins with whose `log2` is stored; of one that counts steps these are stored."""

Rounds = Mapping[int, Sequence[StoredStudy]]
"""The rounds of each batch size, oldest first."""


class Ended(NamedTuple):
    """What trials of a round and a role came to: how many they are, and their scores."""

    trials: int
    best: float | None
    reported: tuple[float, ...]


class Unfinished(NamedTuple):
    """The trials of a round without a result, and where those that run are trained."""

    running: int = 0
    failed: int = 0
    interrupted: int = 0
    device: str = ""


@dataclass(frozen=True, slots=True)
class ProgressReader:
    """Reads how far experiments are, in a store that has our tables."""

    database: Database
    engine: Engine

    def read(self, name: str | None = None) -> Sequence[ExperimentProgress]:
        """How far the experiment of a name is, or all that can be read are, oldest first.

        Raises:
            StoreError: There is none of this name, or the store does not answer.
            DamagedRecord: That of the name cannot be read.
        """
        return self.survey(name).experiments

    def survey(self, name: str | None = None) -> StoreProgress:
        """As `read`, with the experiments that cannot be read."""
        url = visible(self.database.location)
        with store_errors(f"the store {url} failed"), self.engine.connect() as connection:
            if name is None:
                found, unreadable = _readable(connection)
            else:
                one = existing_experiment(connection, name, url=url)
                found, unreadable = [(one, stored_rounds(one, study_rows(connection, [one.experiment_id])))], []
            claimed = claimed_studies(connection, self.database)
            counts = _Counts.read(connection, [one for _, sizes in found for one in sizes.values()], name)
        return StoreProgress([_experiment_progress(*each, claimed, counts) for each in found], unreadable)

    def close(self) -> None:
        """Let go of connections."""
        self.engine.dispose()


def _readable(connection: Connection) -> tuple[list[tuple[StoredExperiment, Rounds]], list[Unreadable]]:
    """All experiments with their rounds, oldest first, and those of which something cannot be read."""
    found: list[tuple[StoredExperiment, Rounds]] = []
    unreadable = []
    rows = experiment_rows(connection)
    studies = study_rows(connection, [each.experiment_id for each in rows])
    for row in rows:
        try:
            one = stored_experiment(row)
            found.append((one, stored_rounds(one, studies)))
        except DamagedRecord as error:
            name = row.name if isinstance(row.name, str) else f"experiment {row.experiment_id}"
            unreadable.append(Unreadable(name, str(error)))
    return found, unreadable


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the database counted, by the identifiers of rounds.

    Attributes:
        recent: For the rounds of studies that somebody holds: trials with a result since then, and the last one's end.
    """

    ended: Mapping[tuple[int, Role], Ended]
    unfinished: Mapping[int, Unfinished]
    recent: Mapping[int, tuple[int, datetime]]
    damaged: Mapping[int, int]

    @classmethod
    def read(cls, connection: Connection, studies: Collection[Sequence[StoredStudy]], name: str | None) -> "_Counts":
        """Count the trials of these studies; `name` is empty if they are all that the store has."""
        ids = None if name is None else [one.study_id for rounds in studies for one in rounds]
        ended, unfinished = _count_ended(connection, ids), _count_unfinished(connection, ids)
        return cls(ended, unfinished, _count_recent(connection, studies), _count_damaged(connection, ids))


def _count_ended(connection: Connection, study_ids: Collection[int] | None) -> dict[tuple[int, Role], Ended]:
    """The trials with a result, by round and role: of these rounds, or of all."""
    achieved, finished = (trial_end.c.outcome == each for each in (Outcome.ACHIEVED, Outcome.FINISHED))
    score = case(
        (achieved, cast(trial_end.c.steps, String)),
        (finished, literal(POWER) + cast(trial_end.c.loss, String)),
        else_="inf",
    )
    query = (
        select(
            trial_end.c.study_id,
            trial_end.c.role,
            func.count(),
            func.min(case((achieved, trial_end.c.steps))),
            func.min(case((finished, trial_end.c.loss))),
            func.aggregate_strings(case((trial_end.c.role == Role.REPORT, score)), ","),
        )
        .where(IS_SOUND)
        .group_by(trial_end.c.study_id, trial_end.c.role)
    )
    if study_ids is not None:
        query = query.where(trial_end.c.study_id.in_(study_ids))
    return {
        (study_id, Role(role)): Ended(
            trials, steps if loss is None else 2**loss, tuple(map(_score, reported.split(","))) if reported else ()
        )
        for study_id, role, trials, steps, loss, reported in connection.execute(query)
    }


def _score(text: str) -> float:
    """A score (`tuner.trial.score_of`) from a text of the database: steps, or a power of 2."""
    return 2 ** float(text.removeprefix(POWER)) if text.startswith(POWER) else float(text)


def _count_damaged(connection: Connection, study_ids: Collection[int] | None) -> dict[int, int]:
    """The trials with a result that cannot be read, by round: of these rounds, or of all."""
    sound = func.count(case((IS_SOUND, 1)))
    query = select(trial_end.c.study_id, (func.count() - sound).label("damaged")).group_by(trial_end.c.study_id)
    if study_ids is not None:
        query = query.where(trial_end.c.study_id.in_(study_ids))
    rows = connection.execute(query.having(func.count() > sound)).all()
    return {row.study_id: row.damaged for row in rows}


def _count_unfinished(connection: Connection, study_ids: Collection[int] | None) -> dict[int, Unfinished]:
    """The trials without a result, by round: of these rounds, or of all."""
    attribute, trial_id = optuna_user_attribute, optuna_trial.c.trial_id
    has_ended = or_(trial_failure.c.trial_id.is_not(None), optuna_trial.c.state == "FAIL")
    interrupted = trial_failure.c.reason.in_(INTERRUPTIONS)
    kind = case((interrupted, "interrupted"), (has_ended, "failed"), else_="running").label("kind")
    query = (
        select(optuna_trial.c.study_id, kind, func.count(), func.max(attribute.c.value_json))
        .join(attribute, and_(attribute.c.trial_id == trial_id, attribute.c.key == PLAN))
        .outerjoin(trial_end, and_(trial_end.c.trial_id == trial_id, trial_end.c.study_id != NO_STUDY))
        .outerjoin(trial_failure, trial_failure.c.trial_id == trial_id)
        .where(optuna_trial.c.state != "COMPLETE", trial_end.c.trial_id.is_(None))
        .group_by(optuna_trial.c.study_id, kind)
    )
    if study_ids is not None:
        query = query.where(optuna_trial.c.study_id.in_(study_ids))
    found: dict[int, Unfinished] = {}
    for study_id, which, trials, plan in connection.execute(query):
        before = found.get(study_id, Unfinished())
        device = _device(plan) if which == "running" else before.device
        found[study_id] = before._replace(**{which: trials}, device=device)
    return found


def _device(plan: object) -> str:
    """Where a trial is trained, for people; nothing if its plan cannot be read, which whoever reads the trial says."""
    try:
        with reading("a plan"):
            return plan_from(plan).device
    except DamagedRecord:
        return ""


def _count_recent(
    connection: Connection, studies: Collection[Sequence[StoredStudy]]
) -> dict[int, tuple[int, datetime]]:
    """The trials with a result since a study was claimed, by round, and when the last of them ended."""
    since = [
        and_(trial_end.c.study_id == each.study_id, trial_end.c.ended > rounds[0].holder.since)
        for rounds in studies
        for each in rounds
        if rounds[0].holder is not None
    ]
    query = select(trial_end.c.study_id, func.count(), func.max(trial_end.c.ended)).where(or_(False, *since))
    rows = connection.execute(query.group_by(trial_end.c.study_id)) if since else ()
    return {study_id: (trials, latest) for study_id, trials, latest in rows if isinstance(latest, datetime)}


def _experiment_progress(
    found: StoredExperiment, rounds: Rounds, claimed: Set[tuple[str, int]], counts: _Counts
) -> ExperimentProgress:
    """An experiment's progress from its studies'."""
    name = found.settings.name
    studies = tuple(_study_progress(each, (name, size) in claimed, counts) for size, each in rounds.items())
    return ExperimentProgress(found.settings, found.state, studies)


def _study_progress(rounds: Sequence[StoredStudy], is_claimed: bool, counts: _Counts) -> StudyProgress:
    """A study's progress from its rounds, oldest first."""
    ids, first, last = [each.study_id for each in rounds], rounds[0], rounds[-1]
    ended = {role: [counts.ended[key] for each in ids if (key := (each, role)) in counts.ended] for role in Role}
    unfinished = [counts.unfinished[each] for each in ids if each in counts.unfinished]
    recent = [counts.recent[each] for each in ids if each in counts.recent]
    reported = counts.ended.get((last.study_id, Role.REPORT))
    device = next((each.device for each in unfinished if each.device), "")
    holder = first.holder if is_claimed else None
    return StudyProgress(
        batch_size=last.batch_size,
        round=last.round,
        complete=last.complete,
        error=first.error,
        stage=first.stage,
        searched=sum(each.trials for each in ended[Role.SEARCH]),
        probed=sum(each.trials for each in ended[Role.PROBE]),
        confirmed=sum(each.trials for role in CONFIRMATION for each in ended[role]),
        running=sum(each.running for each in unfinished),
        failed=sum(each.failed for each in unfinished),
        interrupted=sum(each.interrupted for each in unfinished),
        best=min((each.best for each in ended[Role.SEARCH] if each.best is not None), default=None),
        reported=tuple(sorted(reported.reported)) if reported is not None and last.complete else (),
        holder=replace(holder, device=device or holder.device) if holder is not None else None,
        recent=sum(trials for trials, _ in recent),
        latest=max((latest for _, latest in recent), default=None),
        damaged=sum(counts.damaged.get(each, 0) for each in ids),
    )

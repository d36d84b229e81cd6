"""Studies as stored: the search of a workload at one batch size, round by round."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite

from tuner.experiment.space import SearchSpace
from tuner.records.stages import Stage, StudyStage
from tuner.records.trials import BORROWED_FROM, Role, TrialRecord


@dataclass(frozen=True, slots=True)
class Holder:
    """The worker that claimed a study last and has not handed it back. It may have died since (`Store.claimed`).

    Attributes:
        worker: Its host and process.
        device: Where it was told to train, as torch names it, or `auto`.
        since: UTC, by the worker's clock.
    """

    worker: str
    device: str
    since: datetime


def study_name(experiment: str, batch_size: int, round: int) -> str:
    """The name of a study in Optuna, in its dashboard and in MLflow.

    >>> study_name("digits", 64, 1)
    'digits/batch_size=64/round=1'
    """
    return f"{experiment}/batch_size={batch_size}/round={round}"


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The search of a workload at one batch size: its current round and the rounds before.

    Attributes:
        complete: Whether search and confirmation are done; of an earlier round, that the next has been opened.
        trials: Those of this round, in order of number.
        earlier: The rounds before this one, oldest first, each by itself. Their spaces lie within this one's.
        holder: The worker that searches it; None of an earlier round.
        error: Why it was set aside; empty if it was not, and of an earlier round.
        stage: How far it has come; of an earlier round, nothing.
        damaged: What is left out of it and of the rounds before, because it cannot be read; empty of an earlier round.
    """

    batch_size: int
    round: int
    space: SearchSpace
    complete: bool
    trials: tuple[TrialRecord, ...]
    earlier: tuple["StudyRecord", ...] = ()
    holder: Holder | None = None
    error: str = ""
    stage: Stage = Stage.SEARCH
    damaged: tuple[str, ...] = ()

    @property
    def rounds(self) -> tuple["StudyRecord", ...]:
        """Every round by itself, oldest first, this one last."""
        return (*self.earlier, replace(self, earlier=(), holder=None, error="", damaged=()))

    @property
    def is_confirmed(self) -> bool:
        """Whether its winner has been reported, or nothing reached the target."""
        return self.complete or self.stage in (Stage.CONFIRMED, Stage.SECOND_LOOK)

    @property
    def is_second_look(self) -> bool:
        """Whether this round looks again at an optimum that was in doubt."""
        return self.stage is Stage.SECOND_LOOK

    @property
    def first_look(self) -> "StudyRecord":
        """The study as it was when its winner was first reported; the study itself before it is looked at again."""
        return replace(self.until(self.round - 1), stage=Stage.CONFIRMED) if self.is_second_look else self

    def until(self, round: int) -> "StudyRecord":
        """The study without the rounds after this one."""
        rounds = self.rounds
        return replace(rounds[round - 1], earlier=rounds[: round - 1])

    def trial(self, round: int, number: int) -> TrialRecord:
        """The trial of this number in a round. Raises `StopIteration` if there is none."""
        return next(each for each in self.rounds[round - 1].trials if each.number == number)

    @property
    def stage_reached(self) -> StudyStage:
        """How far it has come, as other studies need to know."""
        return StudyStage(self.batch_size, self.stage, self.complete or bool(self.error))

    def all_trials(self, *roles: Role) -> tuple[TrialRecord, ...]:
        """The trials of these roles, of all rounds. A probe that the space has been widened over counts as search."""
        return tuple(each for study in (*self.earlier, self) for each in study.trials if self._role(each) in roles)

    def finished(self, *roles: Role) -> tuple[TrialRecord, ...]:
        """The trials with a result, of these roles, of all rounds."""
        return tuple(each for each in self.all_trials(*roles) if each.end is not None)

    def _role(self, trial: TrialRecord) -> Role:
        role = trial.plan.role
        return Role.SEARCH if role is Role.PROBE and trial.plan.hyperparameters in self.space else role

    @property
    def last_point(self) -> int:
        """The greatest number of a point that no confirmation has taken over, of all rounds; -1 if there is none."""
        points = (each.plan.point for study in (*self.earlier, self) for each in study.trials)
        return max((each for each in points if each < BORROWED_FROM), default=-1)

    @property
    def incumbent(self) -> float | None:
        """The best score of a search trial, of all rounds; None if none has a score."""
        return self.best_score(Role.SEARCH)

    @property
    def longest_limit(self) -> int:
        """The most steps that a search trial was allowed, of all rounds: its budget at that time; 0 if none ended."""
        return max((each.end.limit for each in self.finished(Role.SEARCH) if each.end is not None), default=0)

    def best_score(self, role: Role) -> float | None:
        """The best score of a trial of this role (`TrialEnd.score`), of all rounds; None if none has a score."""
        scores = (each.end.score for each in self.finished(role) if each.end is not None)
        return min(filter(isfinite, scores), default=None)

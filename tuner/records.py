"""What the store holds, as frozen values. Analysis and reports read these and nothing else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tuner.experiment import Experiment
from tuner.space import SearchSpace
from tuner.trial import Measurement, Outcome, Value


class Role(StrEnum):
    """What a trial was run for.

    To search, to probe what lies just beyond the space, to choose the winner on fresh seeds, or to report it on others.
    """

    SEARCH = "search"
    PROBE = "probe"
    CHOOSE = "choose"
    REPORT = "report"


CONFIRMATION = (Role.CHOOSE, Role.REPORT)
"""The roles of trials that confirm a search's winner."""


class TrialState(StrEnum):
    """Where a trial stands. `FAILED` ended without a result (interrupted or broken); its point is trained again."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class ExperimentState(StrEnum):
    """Whether workers take an experiment's studies: now, not for the time being, or never again."""

    OPEN = "open"
    PAUSED = "paused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who claimed a study last, and has not handed it back. It may have died since: the store knows (`claimed`).

    Attributes:
        worker: Its host and process.
        device: Where it was told to train, as torch names it, or `auto`.
        since: UTC, by the worker's clock.
    """

    worker: str
    device: str
    since: datetime


class LearningRateRule(StrEnum):
    """What the optimum's learning rate does when the batch size grows by a factor, as a rule of thumb says."""

    SAME = "as it is"
    LINEAR = "linear"
    SQUARE_ROOT = "square root"

    def factor(self, growth: float) -> float:
        """What the learning rate is multiplied by when the batch size is multiplied by `growth`."""
        return {
            LearningRateRule.SAME: 1.0,
            LearningRateRule.LINEAR: growth,
            LearningRateRule.SQUARE_ROOT: math.sqrt(growth),
        }[self]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a point came from that a study took over from another batch size.

    Attributes:
        batch_size: The other batch size.
        round, trial: Round and number of the search trial there that had found the optimum.
        rule: How its learning rate was carried over.
    """

    batch_size: int
    round: int
    trial: int
    rule: LearningRateRule

    @property
    def phrase(self) -> str:
        """The origin, for a person.

        >>> Origin(128, 1, 17, LearningRateRule.LINEAR).phrase
        'batch size 128, linear scaling'
        """
        scaled = self.rule if self.rule is LearningRateRule.SAME else f"{self.rule} scaling"
        return f"batch size {self.batch_size}, {scaled}"


def study_name(experiment: str, batch_size: int, round: int) -> str:
    """What a study is called wherever it is shown: in Optuna, its dashboard and MLflow.

    >>> study_name("digits", 64, 1)
    'digits/batch_size=64/round=1'
    """
    return f"{experiment}/batch_size={batch_size}/round={round}"


@dataclass(frozen=True, slots=True)
class PointRun:
    """A run of a point that is wanted.

    Attributes:
        point: The point's number, counted on through the rounds of its batch size; of probes down from -1.
        repeat: Which of the point's seeds; 0 is the search's own.
        origin: The optimum of another batch size that the search took it from; None for all other points.
    """

    point: int
    repeat: int
    role: Role
    hyperparameters: Mapping[str, Value]
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """A trial before it runs: which point, why, and everything needed to run it again.

    Attributes:
        point: The point's number, counted on through the rounds of its batch size; of probes down from -1.
        repeat: Which of the point's seeds this is; 0 is the search's own.
        lanes: Lanes of the trainer it runs in.
        device: Device of that trainer.
        origin: As in `PointRun`.
    """

    point: int
    repeat: int
    role: Role
    seed: int
    hyperparameters: Mapping[str, Value]
    lanes: int
    device: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """How a trial ended, without its curve (`TrialResult` has both).

    Attributes:
        outcome, steps, limit, spent: As in `TrialResult`.
        loss: What the sampler was told.
        final: The metrics of the last measurement.
    """

    outcome: Outcome
    steps: int
    limit: int
    spent: int
    loss: float
    final: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as stored.

    Attributes:
        number: Its number within its round, as Optuna counts.
        end: Present exactly when `state` is `FINISHED`.
        reason: Why it failed, when `state` is `FAILED`.
        started, ended: UTC.
        round: The round it was run in. Round and number identify a trial of a batch size.
    """

    number: int
    plan: TrialPlan
    state: TrialState
    end: TrialEnd | None
    reason: str
    started: datetime
    ended: datetime | None
    round: int = 1


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The search of a workload at one batch size: one round of it, and those before.

    Attributes:
        complete: Whether search and confirmation are done; of an earlier round, that the next has been opened.
        trials: Those of this round, in order of number.
        earlier: The rounds before this one, oldest first, each by itself. Their spaces lie within this one's.
        holder: The worker that searches it; None of an earlier round.
        error: Why it was set aside; empty if it was not, and of an earlier round.
    """

    batch_size: int
    round: int
    space: SearchSpace
    complete: bool
    trials: tuple[TrialRecord, ...]
    earlier: tuple["StudyRecord", ...] = ()
    holder: Holder | None = None
    error: str = ""

    @property
    def rounds(self) -> tuple["StudyRecord", ...]:
        """Every round by itself, oldest first, this one last."""
        return (*self.earlier, replace(self, earlier=(), holder=None, error=""))

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
    def incumbent(self) -> int | None:
        """The fewest steps to target that a search trial took, of all rounds; None if none reached it."""
        return self.fewest_steps(Role.SEARCH)

    def fewest_steps(self, role: Role) -> int | None:
        """The fewest steps to target that a trial of this role took, of all rounds; None if none reached it."""
        ends = (each.end for each in self.finished(role))
        return min((end.steps for end in ends if end is not None and end.outcome is Outcome.ACHIEVED), default=None)


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """Everything known of an experiment, but for the curves.

    Attributes:
        studies: Each batch size's current round with those before, smallest batch size first; one that is not yet begun
            has no trials.
    """

    experiment: Experiment
    studies: tuple[StudyRecord, ...]
    state: ExperimentState = ExperimentState.OPEN


Curve = tuple[Measurement, ...]
"""What a trial measured, oldest first."""

SHOWN = 16
"""Measurements of a curve that MLflow and optuna-dashboard get: enough to draw it. The dashboard reads those of all
trials at once, and MLflow takes 80 microseconds of processor time for each value, on the machine that trains."""


def shown(curve: Sequence[Measurement]) -> Curve:
    """What views get of a curve: some of it, evenly spread over its measurements, the first and the last among them."""
    last = len(curve) - 1
    if last < SHOWN:
        return tuple(curve)
    return tuple(curve[round(last * index / (SHOWN - 1))] for index in range(SHOWN))

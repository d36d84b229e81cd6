"""What the store holds, as frozen values. Analysis and reports read these and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tuner.experiment import Experiment
from tuner.space import SearchSpace
from tuner.trial import Measurement, Outcome, Value


class Role(StrEnum):
    """What a trial was run for: to search, to choose the winner on fresh seeds, or to report it on others."""

    SEARCH = "search"
    CHOOSE = "choose"
    REPORT = "report"


class TrialState(StrEnum):
    """Where a trial stands. `FAILED` ended without a result (interrupted or broken); its point is trained again."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


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
        point: The point's number within its round.
        repeat: Which of the point's seeds; 0 is the search's own.
    """

    point: int
    repeat: int
    role: Role
    hyperparameters: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """A trial before it runs: which point, why, and everything needed to run it again.

    Attributes:
        point: The point's number within its round.
        repeat: Which of the point's seeds this is; 0 is the search's own.
        lanes: Lanes of the trainer it runs in.
        device: Device of that trainer.
    """

    point: int
    repeat: int
    role: Role
    seed: int
    hyperparameters: Mapping[str, Value]
    lanes: int
    device: str


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
        number: Its number within the study, as Optuna counts.
        end: Present exactly when `state` is `FINISHED`.
        reason: Why it failed, when `state` is `FAILED`.
        started, ended: UTC.
    """

    number: int
    plan: TrialPlan
    state: TrialState
    end: TrialEnd | None
    reason: str
    started: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The search of a workload at one batch size, in one round.

    Attributes:
        complete: Whether search and confirmation are done.
        trials: In order of number.
    """

    batch_size: int
    round: int
    space: SearchSpace
    complete: bool
    trials: tuple[TrialRecord, ...]

    def finished(self, *roles: Role) -> tuple[TrialRecord, ...]:
        """The trials with a result, of these roles."""
        return tuple(each for each in self.trials if each.end is not None and each.plan.role in roles)


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """Everything known of an experiment, but for the curves.

    Attributes:
        studies: The current round of each batch size, smallest batch size first; not yet begun, it has no trials.
    """

    experiment: Experiment
    studies: tuple[StudyRecord, ...]


Curve = tuple[Measurement, ...]

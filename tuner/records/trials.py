"""Trials as planned and as stored, and their curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.trial import Measurement, Outcome, Value, score_of


class Role(StrEnum):
    """What a trial was run for.

    To search, to probe what lies just beyond the space, to choose the winner on fresh seeds, or to report it on others.
    Once the study is complete: to see what a scaling rule would have cost, or to look closely at the optimum.
    """

    SEARCH = "search"
    PROBE = "probe"
    CHOOSE = "choose"
    REPORT = "report"
    RULE = "rule"
    DIAGNOSE = "diagnose"


BORROWED_FROM = 1_000_000
"""Points that a confirmation takes over from other batch sizes are numbered from here on, so that the search can be
given more points of its own."""

RULES_FROM = 2_000_000
DIAGNOSES_FROM = 3_000_000
"""Points of trials with these roles are numbered from here on."""

CONFIRMATION = (Role.CHOOSE, Role.REPORT)
"""The roles of trials that confirm a search's winner."""

PROTOCOL = (Role.SEARCH, Role.PROBE, *CONFIRMATION)
"""The roles of trials that a study consists of: it is complete when they have run."""

EXTRA = (Role.RULE, Role.DIAGNOSE)
"""The roles of trials that are run of a complete study, and that change nothing of it."""


INTERRUPTED = "interrupted"
LET_GO = "interrupted: its worker let go of the study"
INTERRUPTIONS = (INTERRUPTED, LET_GO)
"""Reasons of trials without a result that nothing is wrong with: a worker was asked to stop, or had to begin anew."""


class TrialState(StrEnum):
    """Where a trial stands. `FAILED` ended without a result (interrupted or broken); its point is trained again."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


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
    rule: ScalingRule

    @property
    def phrase(self) -> str:
        """The origin, for a person.

        >>> Origin(128, 1, 17, ScalingRule.LINEAR).phrase
        'batch size 128, linear scaling'
        """
        scaled = self.rule if self.rule is ScalingRule.SAME else f"{self.rule} scaling"
        return f"batch size {self.batch_size}, {scaled}"

    def to_json(self) -> dict[str, object]:
        """What `from` holds."""
        return {"batch_size": self.batch_size, "round": self.round, "trial": self.trial}


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

    @property
    def score(self) -> float:
        """What trials are compared by (`tuner.trial.score_of`)."""
        return score_of(self.outcome, steps=self.steps, loss=self.loss)


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as stored.

    Attributes:
        number: Its number within its round, as Optuna counts.
        end: Present exactly when `state` is `FINISHED`.
        reason: Why it failed, when `state` is `FAILED`; the error in a line, when its outcome is `ERROR`.
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

    @property
    def score(self) -> float:
        """What trials are compared by (`tuner.trial.score_of`); infinite without a result."""
        return math.inf if self.end is None else self.end.score

    @property
    def is_error(self) -> bool:
        """Whether its result is that its code raised an error."""
        return self.end is not None and self.end.outcome is Outcome.ERROR


Curve = tuple[Measurement, ...]
"""What a trial measured, oldest first."""

SHOWN = 10
"""Measurements of a curve that MLflow and optuna-dashboard get: enough to draw it. The dashboard reads those of all
trials at once, and MLflow takes 50 microseconds of processor time for each value, on the machine that trains."""


def shown(curve: Sequence[Measurement], many: int = SHOWN) -> Curve:
    """What views get of a curve: `many` measurements at most, evenly spread, the first and the last among them."""
    last = len(curve) - 1
    if last < many:
        return tuple(curve)
    if many == 1:
        return (curve[last],)
    return tuple(curve[round(last * index / (many - 1))] for index in range(many))

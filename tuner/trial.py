"""Trials: what a trial is given, what it measures and how it ended, as frozen values; and the seeds."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = float | int | str | bool
"""A hyperparameter's value."""


class Outcome(StrEnum):
    """How a trial ended. Divergence, capping and errors of training code are results like any other."""

    ACHIEVED = "achieved"
    CENSORED = "censored"
    INFEASIBLE = "infeasible"
    ERROR = "error"
    FINISHED = "finished"

    @property
    def has_trained(self) -> bool:
        """Whether training went well as far as it went: it neither diverged nor raised an error."""
        return self not in (Outcome.INFEASIBLE, Outcome.ERROR)

    @property
    def sentence(self) -> str:
        """What this outcome says, for a person."""
        return {
            Outcome.ACHIEVED: "reached the target",
            Outcome.CENSORED: "was cut",
            Outcome.INFEASIBLE: "diverged",
            Outcome.ERROR: "ended with an error of the training code",
            Outcome.FINISHED: "was best",
        }[self]


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One training run at a point: its hyperparameters, and the seed of its initialisation and data order."""

    seed: int
    hyperparameters: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Metrics, named `split/metric`, after `step` gradient steps.

    `train/loss`, if it is measured, is the mean over the steps since the previous measurement, each taken before its
    update. The first measurement (step 1) therefore holds the loss at the initial parameters. That should be the mean
    over some hundreds of training examples at every batch size, because later losses are compared with it; version 0.1
    took the first minibatch.

    Attributes:
        step: Gradient steps done.
        metrics: What was measured. Some metrics are measured at some steps only.
        partial: How many examples a metric rests on, for each metric that rests on a part of its split. Such a value is
            an estimate, and the target is certainly not met.
    """

    step: int
    metrics: Mapping[str, float]
    partial: Mapping[str, int] = field(default_factory=dict)

    @property
    def examples(self) -> int | None:
        """The fewest examples that a partial metric rests on; None if no metric is partial."""
        return min(self.partial.values(), default=None)

    def whole(self, metric: str) -> float | None:
        """A metric over its whole split; None if it was not measured, or on a part."""
        return None if metric in self.partial else self.metrics.get(metric)


@dataclass(frozen=True, slots=True)
class Failure:
    """The training code of a trial raised an error, and the trial measures nothing more.

    Attributes:
        reason: The error in one line.
        details: The frames of the user's own code, for a person; may be empty.
    """

    reason: str
    details: str = ""

    def __str__(self) -> str:
        return f"{self.reason}\n{self.details}" if self.details else self.reason


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How a trial ended.

    Attributes:
        outcome: How it ended.
        steps: Steps to target if `ACHIEVED`; the step of the best value if `FINISHED`; steps within which it did not
            reach the target if `CENSORED`: its limit, or fewer if it was cut early; the step at which divergence was
            noticed, if `INFEASIBLE`; the last step measured, if `ERROR`.
        limit: The steps it was allowed when it ended: the budget, or the cap if that was lower.
        curve: Every measurement up to and including the one that ended it; empty if an error came first.
        failure: What the training code raised, if `ERROR`; else None.
    """

    outcome: Outcome
    steps: int
    limit: int
    curve: tuple[Measurement, ...]
    failure: Failure | None = None

    @property
    def spent(self) -> int:
        """Gradient steps it was trained for, as measured."""
        return self.curve[-1].step if self.curve else 0

    @property
    def final(self) -> Mapping[str, float]:
        """The metrics of the last measurement; none if there is no measurement."""
        return self.curve[-1].metrics if self.curve else {}


def score_of(outcome: Outcome, *, steps: int, loss: float) -> float:
    """What trials are compared by, and lower is better: steps to target, or how far the best value is from the ideal.

    It is infinite if the trial did neither reach the target nor finish. `loss` is its `log2` where it is finite.

    >>> score_of(Outcome.ACHIEVED, steps=100, loss=6.64), score_of(Outcome.FINISHED, steps=100, loss=-5.0)
    (100, 0.03125)
    """
    if outcome is Outcome.FINISHED:
        return 2**loss
    return steps if outcome is Outcome.ACHIEVED else math.inf


def trial_seed(*, experiment_seed: int, batch_size: int, round: int, point: int, repeat: int) -> int:
    """The seed of a trial: 63 bits that depend on what it is, not on when or where it runs.

    >>> trial_seed(experiment_seed=0, batch_size=64, round=1, point=0, repeat=0)
    7718180383252535322
    """
    return hash_seed("trial", experiment_seed, batch_size, round, point, repeat)


def sampler_seed(*, experiment_seed: int, batch_size: int, round: int) -> int:
    """The seed of a study's sampler."""
    return hash_seed("sampler", experiment_seed, batch_size, round)


def hash_seed(*parts: str | int) -> int:
    """63 bits from a label and numbers, the same in every process and on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1

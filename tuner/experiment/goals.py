"""Goals. A goal decides when and how a trial ends, and which loss the sampler is told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tuner.experiment.divergence import has_diverged
from tuner.experiment.early_stopping import is_hopeless
from tuner.objective import Target
from tuner.trial import Failure, Measurement, Outcome, TrialResult

ERROR_FACTOR = 8
"""A trial that ended with an error counts as so many times the steps that it was allowed."""


class Goal(Protocol):
    """What the search asks of every trial."""

    def judge(
        self, curve: Sequence[Measurement], *, cap: int | None = None, optimism: float = math.inf
    ) -> TrialResult | None:
        """How a trial with this curve ended, or None while it should go on.

        Args:
            curve: What it has measured.
            cap: A limit in steps, lower than the budget.
            optimism: A trial is cut early if its curve has to decline this many times more steeply than before to reach
                the target in time (`tuner.experiment.early_stopping`).
        """
        ...

    def fail(self, curve: Sequence[Measurement], failure: Failure, *, cap: int | None = None) -> TrialResult:
        """How a trial ended whose training code raised an error after this curve, which may be empty."""
        ...

    def loss(self, result: TrialResult) -> float:
        """The finite number to minimise, comparable over every outcome."""
        ...


@dataclass(frozen=True, slots=True)
class ReachTarget:
    """Reach a target in as few steps as possible (Shallue et al. 2019, arXiv 1811.03600).

    Steps to target is the first measured step at which `metric`, over its whole split, passes the target. A trial that
    needs more than `within_steps` steps is censored; one whose training loss stops being finite, or stays above its
    initial value, is infeasible. Without a training loss, one whose `metric` stops being finite is.

    Attributes:
        batch_size: The examples of a step, over which its training loss is a mean (`tuner.experiment.divergence`).

    Raises:
        ValueError: The budget is not positive.
    """

    metric: str
    target: Target
    within_steps: int
    batch_size: int = 1

    def __post_init__(self) -> None:
        if self.within_steps < 1:
            raise ValueError(f"within_steps = {self.within_steps} must be at least 1")

    def judge(
        self, curve: Sequence[Measurement], *, cap: int | None = None, optimism: float = math.inf
    ) -> TrialResult | None:
        last, limit = curve[-1], self._limit(cap)
        if len(curve) > 1 and curve[-2].step >= limit:  # the cap has fallen below where it was already
            return TrialResult(Outcome.CENSORED, limit, limit, tuple(curve))
        if has_diverged(curve, batch_size=self.batch_size, metric=self.metric):
            return TrialResult(Outcome.INFEASIBLE, last.step, limit, tuple(curve))
        if self._is_met(last) and last.step <= limit:
            return TrialResult(Outcome.ACHIEVED, last.step, limit, tuple(curve))
        if last.step >= limit:
            return TrialResult(Outcome.CENSORED, limit, limit, tuple(curve))
        if is_hopeless(curve, metric=self.metric, target=self.target, limit=limit, optimism=optimism):
            return TrialResult(Outcome.CENSORED, last.step, limit, tuple(curve))
        return None

    def fail(self, curve: Sequence[Measurement], failure: Failure, *, cap: int | None = None) -> TrialResult:
        step = curve[-1].step if curve else 0
        return TrialResult(Outcome.ERROR, step, self._limit(cap), tuple(curve), failure)

    def loss(self, result: TrialResult) -> float:
        """`log2(steps)` if the target was reached; otherwise `log2(limit)` plus `log2` of best metric over target.

        The second case extrapolates a metric that falls as `1 / steps`. This is crude, but it has the right order, is
        continuous at the target and has the scale of the other losses, as a Gaussian process needs. A diverged trial
        counts as twice as many steps: its best metric still says on which side the feasible region lies. A trial that
        ended with an error counts as eight times its limit, whatever it had measured: the sampler avoids its region.
        """
        if result.outcome is Outcome.ACHIEVED:
            return math.log2(result.steps)
        if result.outcome is Outcome.ERROR:
            return math.log2(ERROR_FACTOR * result.limit)
        goal = self.target.distance(self.target.value)
        values = [each.metrics[self.metric] for each in result.curve if self.metric in each.metrics]
        finite = [each for each in map(self.target.distance, values) if math.isfinite(each)] or [goal]
        shortfall = math.log2(max(min(finite) / goal, 1.0))
        return math.log2(result.limit) + shortfall + (result.outcome is Outcome.INFEASIBLE)

    def _limit(self, cap: int | None) -> int:
        """The most steps of a trial under this cap."""
        return self.within_steps if cap is None else min(cap, self.within_steps)

    def _is_met(self, measured: Measurement) -> bool:
        """Whether a measurement passes the target. An estimate does not: where it was made, that was certain."""
        value = measured.whole(self.metric)
        return value is not None and self.target.is_met(value)

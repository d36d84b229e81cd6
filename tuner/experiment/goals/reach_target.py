"""The goal to reach a target in as few steps as possible, and its scores: steps to target."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuner.experiment.goals.contract import ERROR_FACTOR
from tuner.experiment.goals.divergence import has_diverged
from tuner.experiment.goals.early_stopping import is_hopeless
from tuner.objective import Target
from tuner.trial import Failure, Measurement, Outcome, TrialResult


@dataclass(frozen=True, slots=True)
class StepsToTarget:
    """Implements `ScoreUnit` by the steps that a metric takes to its target."""

    metric: str
    target: Target

    counts_steps = True
    outcome = Outcome.ACHIEVED
    key = column = ratio = "steps"
    subject = "steps to target"
    median = "median steps over the reporting seeds (fewer are better)"
    test_error = "Test error is the median when the validation target was reached."
    best, better = "fewest steps", "fewer steps are better"
    success, plan = "reached the target", "reach the target"
    cut = "cut early, at its cap or budget"
    in_vain = "that budget is a lower bound, and these studies are not in the fit"
    caution = "Steps to target are measured at evaluations, whose spacing limits their precision."
    none, failed = "never", "not reached"

    @property
    def wanted(self) -> str:
        return f"{self.metric} {self.target.phrase}"

    @property
    def symbol(self) -> str:
        return f"{self.metric} {self.target.symbol}"

    @property
    def question(self) -> str:
        return f"steps to {self.wanted}"

    @property
    def asked(self) -> str:
        return f"How few gradient steps bring {self.wanted}"

    @property
    def attempt(self) -> str:
        return f"brought {self.wanted}"

    def goal(self, within_steps: int, batch_size: int) -> "ReachTarget":
        return ReachTarget(self.metric, self.target, within_steps, batch_size)

    def value(self, score: float) -> float:
        return score

    def ends(self, low: float, high: float) -> tuple[float, float]:
        return low, high

    def text(self, score: float, *, exact: bool = False) -> str:
        if math.isinf(score):
            return self.none
        return f"{score:,.1f}" if exact and score != round(score) else f"{score:,.0f}"

    def phrase(self, score: float) -> str:
        return f"{self.text(score)} steps"

    def bias(self, ratio: float) -> str:
        return f"winners took {ratio:.2f} times as many steps"


@dataclass(frozen=True, slots=True)
class ReachTarget:
    """Reach a target in as few steps as possible (Shallue et al. 2019, arXiv 1811.03600).

    Steps to target is the first measured step at which `metric`, over its whole split, passes the target. A trial that
    needs more than `within_steps` steps is censored; one whose training loss stops being finite, or stays above its
    initial value, is infeasible. Without a training loss, one whose `metric` stops being finite is.

    Attributes:
        batch_size: The examples of a step, over which its training loss is a mean (`divergence`).

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
        self,
        curve: Sequence[Measurement],
        *,
        cap: float | None = None,
        incumbent: float | None = None,  # noqa: ARG002 - what has to be reached is the target
        optimism: float = math.inf,
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
        if is_hopeless(
            curve, metric=self.metric, distance=self.distance, goal=self._goal, limit=limit, optimism=optimism
        ):
            return TrialResult(Outcome.CENSORED, last.step, limit, tuple(curve))
        return None

    def fail(self, curve: Sequence[Measurement], failure: Failure, *, cap: float | None = None) -> TrialResult:
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
        values = [each.metrics[self.metric] for each in result.curve if self.metric in each.metrics]
        finite = [each for each in map(self.distance, values) if math.isfinite(each)] or [self._goal]
        shortfall = math.log2(min(max(min(finite) / self._goal, 1.0), sys.float_info.max))
        return math.log2(result.limit) + shortfall + (result.outcome is Outcome.INFEASIBLE)

    def distance(self, value: float) -> float:
        return self.target.distance(value)

    def objection(self, value: float) -> str:  # noqa: ARG002 - a target may be passed by any value
        return ""

    def within(self, steps: int) -> "ReachTarget":
        return replace(self, within_steps=steps)

    @property
    def _goal(self) -> float:
        """How far the target itself is from the ideal."""
        return self.distance(self.target.value)

    def _limit(self, cap: float | None) -> int:
        """The most steps of a trial under this cap."""
        return self.within_steps if cap is None else min(math.ceil(cap), self.within_steps)

    def _is_met(self, measured: Measurement) -> bool:
        """Whether a measurement passes the target. An estimate does not: where it was made, that was certain."""
        value = measured.whole(self.metric)
        return value is not None and self.target.is_met(value)

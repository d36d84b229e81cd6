"""The goal to bring a metric as far as possible within a budget, and its scores: how far the metric is from its ideal.

At a fixed number of steps the best value of a metric tells batch sizes apart that reach no common target, and is what
compares a step budget with an epoch budget (Shallue et al. 2019, arXiv 1811.03600, section 4).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tuner.experiment.goals.contract import ERROR_FACTOR
from tuner.experiment.goals.divergence import has_diverged
from tuner.experiment.goals.early_stopping import is_hopeless
from tuner.trial import Failure, Measurement, Outcome, TrialResult

NEAREST, FARTHEST = 2.0**-30, 2.0**100
"""Distances from the ideal are told apart between these: a metric that has come to its ideal gets no better."""
BEYOND = 1e-6
"""A value may be better than the ideal by this share of it, or by this much, for rounding."""
DIGITS = 12
"""Of a value that is computed back from its score."""
SHOWN = 4
"""Digits of a value's distance from the ideal that a person sees, and at least of the value itself."""


class Best(StrEnum):
    """Which value of a metric is the best."""

    LOWEST = "lowest"
    HIGHEST = "highest"

    @property
    def ideal(self) -> float:
        """The best value that a metric can have, if nothing else is said: of an error or a loss, of an accuracy."""
        return 0.0 if self is Best.LOWEST else 1.0


@dataclass(frozen=True, slots=True)
class BestValue:
    """Implements `ScoreUnit` by the distance of a metric's best value from its ideal.

    Ratios of distances are what the analysis compares: an error of 0.01 is twice as good as one of 0.02, and so is an
    accuracy of 0.99 compared with 0.98. A metric without a highest value, `ideal = inf`, has the distance one over
    it. It is never negative, and at 0 it is as far away as can be.

    Raises:
        ValueError: The ideal is infinite on the wrong side.
    """

    metric: str
    kind: Best
    ideal: float

    counts_steps = False
    outcome = Outcome.FINISHED
    key = "value"
    test_error = "Test error is the median at the end of the budget, and not at the step of the best value."
    success, plan, cut = "trained for its budget", "train for the budget", "cut early"
    in_vain = "every trial diverged, ended with an error or measured no number"
    caution = "The best value is that of a measurement within the budget: there are few of them near its end."
    none, failed = "no value", "no value"

    def __post_init__(self) -> None:
        if math.isinf(self.ideal) and not (self.kind is Best.HIGHEST and self.ideal > 0):
            raise ValueError(f'ideal = {self.ideal:g} does not go with best = "{self.kind}"; give a finite number')

    @property
    def column(self) -> str:
        return self.metric

    @property
    def ratio(self) -> str:
        if self.kind is Best.LOWEST:
            return f"{self.metric} - {self.ideal:g}" if self.ideal else self.metric
        return f"{self.ideal:g} - {self.metric}" if math.isfinite(self.ideal) else f"1 / {self.metric}"

    @property
    def question(self) -> str:
        return f"{self.kind} {self.metric}"

    wanted = symbol = best = subject = question

    @property
    def attempt(self) -> str:
        return f"came to a {self.question}"

    @property
    def median(self) -> str:
        return f"median of the {self.question} over the reporting seeds ({self.better})"

    @property
    def asked(self) -> str:
        return f"How {'low' if self.kind is Best.LOWEST else 'high'} does {self.metric} get"

    @property
    def better(self) -> str:
        return "lower is better" if self.kind is Best.LOWEST else "higher is better"

    def goal(self, within_steps: int, batch_size: int) -> "BestWithin":
        return BestWithin(self, within_steps, batch_size)

    def distance(self, value: float) -> float:
        """How far a value is from the ideal, between `NEAREST` and `FARTHEST`; not a number stays so."""
        if math.isinf(self.ideal):
            found = 1 / value if value > 0 else math.inf
        else:
            found = value - self.ideal if self.kind is Best.LOWEST else self.ideal - value
        return min(max(found, NEAREST), FARTHEST) if not math.isnan(found) else found

    def is_beyond(self, value: float) -> bool:
        """Whether a value is better than the ideal, which then is not the ideal."""
        gap = value - self.ideal if self.kind is Best.HIGHEST else self.ideal - value
        return gap > BEYOND * max(1.0, abs(self.ideal))

    def value(self, score: float) -> float:
        """The metric's value, to `DIGITS` digits of its distance.

        >>> BestValue("validation/accuracy", Best.HIGHEST, 1.0).value(0.03)
        0.97
        """
        if math.isinf(score):
            return math.inf
        if score <= NEAREST:
            return self.ideal
        if math.isinf(self.ideal) and score >= FARTHEST:
            return 0.0
        distance = float(f"{score:.{DIGITS}g}")
        if math.isinf(self.ideal):
            return float(f"{1 / distance:.{DIGITS}g}")
        away = self.ideal + distance if self.kind is Best.LOWEST else self.ideal - distance
        return round(away, DIGITS + 3) if self.ideal else away

    def ends(self, low: float, high: float) -> tuple[float, float]:
        one, other = self.value(low), self.value(high)
        return (one, other) if self.kind is Best.LOWEST else (other, one)

    def text(self, score: float, *, exact: bool = False) -> str:  # noqa: ARG002 - so many digits are as exact as seeds
        if math.isinf(score):
            return self.none
        value = self.value(score)
        more = _magnitude(value) - _magnitude(score) if value and math.isfinite(self.ideal) and score > NEAREST else 0
        return f"{value:.{min(SHOWN + max(more, 0), DIGITS)}g}"

    def phrase(self, score: float) -> str:
        return f"{self.metric} {self.text(score)}"

    def bias(self, ratio: float) -> str:
        return f"{self.ratio} of winners was {ratio:.2f} times as high"


def _magnitude(number: float) -> int:
    """The power of ten of its first digit."""
    return math.floor(math.log10(abs(number)))


@dataclass(frozen=True, slots=True)
class BestWithin:
    """Bring a metric as near to its ideal as possible within a number of steps.

    A trial is trained for the whole budget. Its result is the best value that was measured over the whole split at a
    step within the budget, and the step at which it was measured first. The value of a metric can get better up to the
    last step, so no trial is cut for what others came to, unless its curve says that it will not come as far as the
    best of them (`tuner.experiment.goals.early_stopping`).

    Attributes:
        unit: Which metric, and what is good.
        batch_size: The examples of a step, over which its training loss is a mean.

    Raises:
        ValueError: The budget is not positive.
    """

    unit: BestValue
    within_steps: int
    batch_size: int = 1

    def __post_init__(self) -> None:
        if self.within_steps < 1:
            raise ValueError(f"within_steps = {self.within_steps} must be at least 1")

    @property
    def metric(self) -> str:
        return self.unit.metric

    def judge(
        self,
        curve: Sequence[Measurement],
        *,
        cap: float | None = None,  # noqa: ARG002 - no trial is certain to end with a worse value
        incumbent: float | None = None,
        optimism: float = math.inf,
    ) -> TrialResult | None:
        last, limit = curve[-1], self.within_steps
        if has_diverged(curve, batch_size=self.batch_size, metric=self.metric):
            return TrialResult(Outcome.INFEASIBLE, last.step, limit, tuple(curve))
        if last.step >= limit:
            _, step = min(self._distances(curve), default=(math.nan, 0))
            outcome = Outcome.FINISHED if step else Outcome.CENSORED
            return TrialResult(outcome, step or limit, limit, tuple(curve))
        if incumbent is not None and is_hopeless(
            curve, metric=self.metric, distance=self.distance, goal=incumbent, limit=limit, optimism=optimism
        ):
            return TrialResult(Outcome.CENSORED, last.step, limit, tuple(curve))
        return None

    def fail(self, curve: Sequence[Measurement], failure: Failure, *, cap: float | None = None) -> TrialResult:  # noqa: ARG002
        step = curve[-1].step if curve else 0
        return TrialResult(Outcome.ERROR, step, self.within_steps, tuple(curve), failure)

    def loss(self, result: TrialResult) -> float:
        """`log2` of the distance of the best value from the ideal; of a trial that was cut, of its best value so far.

        The best value of a trial is at worst its first. Therefore a diverged trial counts as twice as far from the
        ideal as it began, and one that ended with an error as eight times as far.
        """
        distances = [each for each, _ in self._distances(result.curve)]
        if result.outcome in (Outcome.FINISHED, Outcome.CENSORED):
            return math.log2(min(distances, default=FARTHEST))
        factor = 2 if result.outcome is Outcome.INFEASIBLE else ERROR_FACTOR
        return math.log2(factor * (distances[0] if distances else FARTHEST))

    def distance(self, value: float) -> float:
        return self.unit.distance(value)

    def objection(self, value: float) -> str:
        advice = f"give goal.ideal, the {self.unit.kind} value that it can have"
        if math.isinf(self.unit.ideal) and (-math.inf < value < 0 or value == math.inf):
            return f"but with goal.ideal = inf it must be finite and not below 0; {advice}"
        if self.unit.is_beyond(value):
            return f"better than {self.unit.ideal:g}, which the goal takes for the ideal; {advice}"
        return ""

    def within(self, steps: int) -> "BestWithin":
        return replace(self, within_steps=steps)

    def _distances(self, curve: Sequence[Measurement]) -> Iterator[tuple[float, int]]:
        """How far the metric was from its ideal within the budget, with the step, where all of its split was seen."""
        for each in curve:
            value = each.whole(self.metric)
            if value is not None and each.step <= self.within_steps and not math.isnan(self.distance(value)):
                yield self.distance(value), each.step

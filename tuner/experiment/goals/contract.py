"""What the search asks of a goal, and what everything that shows results asks of it.

Trials are compared by a *score*: a positive number, and lower is better. What it counts is the goal's `ScoreUnit`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from tuner.trial import Failure, Measurement, Outcome, TrialResult

ERROR_FACTOR = 8
"""A trial that ended with an error counts as so many times the score that it might have had."""


class Goal(Protocol):
    """What the search asks of every trial of a study.

    Attributes:
        metric: The metric that it is about.
        within_steps: The budget of a trial.
        batch_size: The examples of a step.
    """

    @property
    def metric(self) -> str: ...
    @property
    def within_steps(self) -> int: ...
    @property
    def batch_size(self) -> int: ...

    def judge(
        self,
        curve: Sequence[Measurement],
        *,
        cap: float | None = None,
        incumbent: float | None = None,
        optimism: float = math.inf,
    ) -> TrialResult | None:
        """How a trial with this curve ended, or None while it should go on.

        Args:
            curve: What it has measured.
            cap: A trial is cut as soon as its score is certain to be above this.
            incumbent: The best score so far.
            optimism: A trial is cut early if its curve has to decline this many times more steeply than before to be of
                use in time (`tuner.experiment.goals.early_stopping`).
        """
        ...

    def fail(self, curve: Sequence[Measurement], failure: Failure, *, cap: float | None = None) -> TrialResult:
        """How a trial ended whose training code raised an error after this curve, which may be empty."""
        ...

    def loss(self, result: TrialResult) -> float:
        """The finite number to minimise, comparable over every outcome; `log2` of the score where there is one."""
        ...

    def distance(self, value: float) -> float:
        """How far the metric is from its ideal: falls as the metric gets better."""
        ...

    def objection(self, value: float) -> str:
        """Why the metric cannot have this value, for whoever wrote the training code; empty if it can."""
        ...

    def within(self, steps: int) -> "Goal":
        """The same goal with another budget."""
        ...


class ScoreUnit(Protocol):
    """What the scores of a goal count, and how a person sees them.

    Attributes:
        counts_steps: Whether they are steps to a target: what is known of scaling with the batch size is about these.
        outcome: How a trial with a score has ended.
        key: What programs call them: `steps` or `value`.
        column: The head of a column of them: `steps` or `validation/accuracy`.
        ratio: What a ratio of two scores is a ratio of: `steps` or `1 - validation/accuracy`.
        wanted, symbol: What the goal is, and in short: `validation/error below 0.03`, `validation/error < 0.03`.
        question: What is asked: `steps to validation/error below 0.03`.
        subject: What a report is about: `steps to target`.
        median: What a table of optima holds, and what is good.
        test_error: Where test metrics of the optima were measured, in a sentence.
        asked: The same as the beginning of a question.
        best: What the best of them is called: `fewest steps`.
        better: How to read a column of them: `fewer steps are better`.
        attempt: What no trial of a failed search did within the budget: `brought validation/error below 0.03`.
        success: What a trial with a score did: `reached the target`.
        cut: What was done to a trial that ended without one, though it trained: `cut early`.
        plan: What trials with a score do, and how many of them: `reach the target`.
        in_vain: What it says if none of a study's trials has a score.
        caution: What limits the precision of scores, in a sentence.
        none, failed: In place of a score where there is none: in few letters, and in words.
    """

    @property
    def counts_steps(self) -> bool: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def key(self) -> str: ...
    @property
    def column(self) -> str: ...
    @property
    def ratio(self) -> str: ...
    @property
    def wanted(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def median(self) -> str: ...
    @property
    def test_error(self) -> str: ...
    @property
    def asked(self) -> str: ...
    @property
    def best(self) -> str: ...
    @property
    def better(self) -> str: ...
    @property
    def attempt(self) -> str: ...
    @property
    def success(self) -> str: ...
    @property
    def cut(self) -> str: ...
    @property
    def plan(self) -> str: ...
    @property
    def in_vain(self) -> str: ...
    @property
    def caution(self) -> str: ...
    @property
    def none(self) -> str: ...
    @property
    def failed(self) -> str: ...

    def goal(self, within_steps: int, batch_size: int) -> Goal:
        """The goal of a study that has these scores."""
        ...

    def value(self, score: float) -> float:
        """A score as the number that a person knows: steps, or the metric's value; infinite stays infinite."""
        ...

    def ends(self, low: float, high: float) -> tuple[float, float]:
        """The ends of an interval of scores as such numbers, the lower first."""
        ...

    def text(self, score: float, *, exact: bool = False) -> str:
        """A score for a cell of a table: `1,234`, or `none`. `exact` shows half a step too."""
        ...

    def phrase(self, score: float) -> str:
        """A score within a sentence: `1,234 steps`."""
        ...

    def bias(self, ratio: float) -> str:
        """How many times worse the winners were, within a sentence: `winners took 1.20 times as many steps`."""
        ...


def span(unit: ScoreUnit, ends: tuple[float, float], *, text: Callable[[float], str] | None = None) -> str:
    """An interval of scores, the lower value first.

    Args:
        unit: What the scores count.
        ends: The least and the greatest score.
        text: How a score is written; by default as in a cell of a table.
    """
    return " to ".join(map(text or unit.text, sorted(ends, key=unit.value)))

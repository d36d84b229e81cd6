"""When the trials of a search are cut: the cap that falls with the best trial so far, and early stopping."""

import math
from dataclasses import dataclass

from tuner.trial import Outcome, TrialResult


@dataclass(slots=True)
class Cutoff:
    """The limits at which trials are cut, given the results so far. The goal applies them (`Goal.judge`).

    Attributes:
        slack: A trial is cut at `slack` times the incumbent's steps; never if infinite.
        optimism: A trial is cut early if its curve has to decline this many times more steeply than before to reach the
            target before its cap (`tuner.experiment.early_stopping`); never if infinite.
        incumbent: The fewest steps to target so far; None if no trial has reached the target.
    """

    slack: float = math.inf
    optimism: float = math.inf
    incumbent: int | None = None

    @property
    def cap(self) -> int | None:
        """The step at which a trial is cut now; None for never.

        >>> Cutoff(slack=1.5, incumbent=35).cap
        53
        """
        if self.incumbent is None or math.isinf(self.slack):
            return None
        return math.ceil(self.slack * self.incumbent)

    def learn(self, result: TrialResult) -> None:
        """A trial has ended. If it reached the target in fewer steps than all others, it is the new incumbent."""
        if result.outcome is Outcome.ACHIEVED:
            self.incumbent = min(self.incumbent or result.steps, result.steps)

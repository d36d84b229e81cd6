"""When the trials of a search are cut: the cap that falls with the best trial so far, and early stopping."""

import math
from bisect import insort
from dataclasses import dataclass, field

from tuner.trial import Outcome, TrialResult


@dataclass(slots=True)
class Cutoff:
    """The limits at which trials are cut, given the results so far. The goal applies them (`Goal.judge`).

    Attributes:
        slack: A trial is cut at `slack` times the incumbent's steps; never if infinite.
        optimism: A trial is cut early if its curve has to decline this many times more steeply than before to reach the
            target before its cap (`tuner.experiment.early_stopping`); never if infinite.
        incumbent: The fewest steps to target so far; None if no trial has reached the target.
        keep: A trial is cut when so many others have reached the target in fewer steps; never if None.
        ended: Steps of the others that count for this, fewest first.
    """

    slack: float = math.inf
    optimism: float = math.inf
    incumbent: int | None = None
    keep: int | None = None
    ended: list[int] = field(default_factory=list)

    @property
    def cap(self) -> int | None:
        """The step at which a trial is cut now; None for never.

        >>> Cutoff(slack=1.5, incumbent=35).cap
        53
        >>> Cutoff(slack=1.5, incumbent=35, keep=2, ended=[38, 45]).cap
        45
        """
        caps = []
        if self.incumbent is not None and math.isfinite(self.slack):
            caps.append(math.ceil(self.slack * self.incumbent))
        if self.keep is not None and len(self.ended) >= self.keep:
            caps.append(self.ended[self.keep - 1])
        return min(caps, default=None)

    def learn(self, result: TrialResult) -> None:
        """A trial has ended. If it reached the target in fewer steps than all others, it is the new incumbent."""
        if result.outcome is Outcome.ACHIEVED:
            self.incumbent = min(self.incumbent or result.steps, result.steps)
            insort(self.ended, result.steps)

"""When the trials of a search are cut: the cap that falls with the best trial so far, and early stopping."""

import math
from bisect import insort
from dataclasses import dataclass, field


@dataclass(slots=True)
class Cutoff:
    """The limits at which trials are cut, given the results so far. The goal applies them (`Goal.judge`).

    Attributes:
        slack: A trial is cut when its score is certain to be above `slack` times the incumbent; never if infinite.
        optimism: A trial is cut early if its curve has to decline this many times more steeply than before to be of use
            in time (`tuner.experiment.goals.early_stopping`); never if infinite.
        incumbent: The best score so far; None if no trial has one.
        keep: A trial is cut when so many others are certain to have better scores; never if None.
        ended: Scores of the others that count for this, best first.
    """

    slack: float = math.inf
    optimism: float = math.inf
    incumbent: float | None = None
    keep: int | None = None
    ended: list[float] = field(default_factory=list)

    @property
    def cap(self) -> float | None:
        """The score above which a trial is cut now; None for never.

        >>> Cutoff(slack=1.5, incumbent=35).cap
        52.5
        >>> Cutoff(slack=1.5, incumbent=35, keep=2, ended=[38, 45]).cap
        45
        """
        caps = []
        if self.incumbent is not None and math.isfinite(self.slack):
            caps.append(self.slack * self.incumbent)
        if self.keep is not None and len(self.ended) >= self.keep:
            caps.append(self.ended[self.keep - 1])
        return min(caps, default=None)

    def learn(self, score: float) -> None:
        """A trial has ended, with an infinite score if it has none. The best of all is the incumbent."""
        if math.isfinite(score):
            self.incumbent = score if self.incumbent is None else min(self.incumbent, score)
            insort(self.ended, score)

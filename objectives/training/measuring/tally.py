"""A measurement of one lane, block by block, which ends as soon as its target is certainly not met.

The error, the loss and what the accuracy lacks to 1 are means of terms that are never negative. Once the sum over a
part of the examples is too large for the target, no other example can help. So the measurement ends there, and whether
a target is met is known as surely as from all examples.

What is recorded then is the mean over the examples *before* the one that decided. That mean is not biased: in any other
order of these examples the measurement would have ended at the same place, so each of them is as likely to come first
as any other. The mean that includes the deciding example is too large by about one in the number of errors (inverse
binomial sampling, Haldane 1945; the general argument is that of Girshick, Mosteller and Savage 1946). The first block
is always measured, and the mean over it is not biased either.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.objective import Target

LOSS, ERROR, ACCURACY = "validation/loss", "validation/error", "validation/accuracy"
DECISIVE = frozenset({LOSS, ERROR, ACCURACY})
"""Metrics whose measurement may end early."""


@dataclass(slots=True)
class Tally:
    """The sums of one lane over the examples that it was measured on so far.

    Attributes:
        examples: The examples there are.
        metric: The metric that decides when the measurement ends.
        target: What the metric has to pass; None if the measurement never ends early.
        seen: Examples in the sums.
        wrong: How many of them were wrong.
        loss: The sum of their losses.
        is_over: Whether the target is certainly not met.
    """

    examples: int
    metric: str = ERROR
    target: Target | None = None
    seen: int = 0
    wrong: int = 0
    loss: float = 0.0
    is_over: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all examples are in the sums."""
        return self.seen == self.examples

    def add(self, wrong: NDArray[np.bool_], losses: NDArray[np.floating]) -> None:
        """Add the next block of examples, or the part of it before the example that decides.

        Does nothing if the measurement is over.

        Args:
            wrong: Whether each example is wrong, `[example]`.
            losses: The loss of each, `[example]`; none is negative.
        """
        if self.is_over:
            return
        self.is_over = not self._may_pass(*self._with(wrong, losses))
        part = slice(self._decisive(wrong, losses)) if self.is_over and self.seen else slice(len(wrong))
        self.wrong, self.loss = self._with(wrong[part], losses[part])
        self.seen += len(wrong[part])

    def values(self) -> dict[str, float]:
        """The means over the examples seen: the loss, and the accuracy if it decides, or else the error."""
        name, many = (ACCURACY, self.seen - self.wrong) if self.metric == ACCURACY else (ERROR, self.wrong)
        return {LOSS: mean(self.loss, self.seen), name: mean(many, self.seen)}

    def _with(self, wrong: NDArray[np.bool_], losses: NDArray[np.floating]) -> tuple[int, float]:
        """The sums with more examples."""
        return self.wrong + int(np.count_nonzero(wrong)), self.loss + float(losses.sum(dtype=np.float64))

    def _may_pass(self, wrong: int, loss: float) -> bool:
        """Whether the target can still be met with these sums, if all examples that are left are ideal.

        This is the arithmetic of `values`, and both sums only grow. So nothing that is ruled out here is found there.
        """
        if self.target is None:
            return True
        best = {LOSS: loss, ERROR: wrong, ACCURACY: self.examples - wrong}[self.metric]
        return self.target.is_met(mean(best, self.examples))

    def _decisive(self, wrong: NDArray[np.bool_], losses: NDArray[np.floating]) -> int:
        """The index of the example in a block with which the target cannot be met any more."""
        sums = zip(self.wrong + wrong.cumsum(), self.loss + losses.cumsum(dtype=np.float64), strict=True)
        return next((at for at, each in enumerate(sums) if not self._may_pass(*each)), len(wrong) - 1)


def mean(total: float, many: int) -> float:
    """A sum over its number of terms; NaN if there is none."""
    return total / many if many else math.nan

"""A measurement of one lane, which ends as soon as its target is certainly not met.

The error, the loss and what the accuracy lacks to 1 are means of terms that are never negative. Once the sum over some
of the examples is too large for the target, no other example can help. So the measurement ends there, and whether the
target is met is known as surely as from all examples. This holds in any order. So examples come first that the lane got
most wrong when it was last measured on them: those that should decide are hardly more than the errors that decide.

What is recorded is the mean over all examples or, if the measurement ended before, over the first block alone. The
first block is the same random examples for every lane and at every step. Its size does not depend on what was found, so
its mean is not biased. The mean up to an error that decides would be too large by about one in the number of errors
(inverse binomial sampling, Haldane 1945), and examples that were chosen because they are hard would make it far too
large.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tuner.objective import Target

LOSS, ERROR, ACCURACY = "validation/loss", "validation/error", "validation/accuracy"
DECISIVE = frozenset({LOSS, ERROR, ACCURACY})
"""Metrics whose measurement may end early."""
MARGIN = 1.1
"""Examples are chosen that would do for the decision so many times over if they were as wrong as last time."""

ROUNDING = 1e-9
"""More than the order of the examples changes in a sum of losses, relatively."""
FEW = 8
"""Twice as many are chosen beyond those, and twice as many again each time that they did not do."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recall:
    """What a lane made of each example when it was last measured on it; all zero for those it never was.

    Attributes:
        wrong: Whether it was wrong, `[example]`.
        losses: Its loss, `[example]`.
    """

    wrong: NDArray[np.bool_]
    losses: NDArray[np.floating]

    @staticmethod
    def of(examples: int, dtype: type[np.floating] = np.float32) -> "Recall":
        """The recall of a lane that has not been measured."""
        return Recall(np.zeros(examples, dtype=np.bool_), np.zeros(examples, dtype=dtype))

    def copy(self) -> "Recall":
        return Recall(self.wrong.copy(), self.losses.copy())


@dataclass(slots=True)
class Sums:
    """Over the examples that a lane was measured on.

    Attributes:
        seen: How many there were.
        wrong: How many of them were wrong.
        loss: The sum of their losses.
    """

    seen: int = 0
    wrong: int = 0
    loss: float = 0.0

    def plus(self, wrong: NDArray[np.bool_], losses: NDArray[np.floating]) -> "Sums":
        """The sums with more examples."""
        return Sums(
            self.seen + len(wrong),
            self.wrong + int(np.count_nonzero(wrong)),
            self.loss + float(losses.sum(dtype=np.float64)),
        )


@dataclass(slots=True)
class Tally:
    """The measurement of a lane so far.

    Attributes:
        metric: The metric that decides when the measurement ends.
        target: What the metric has to pass; None if the measurement never ends early.
        recall: Of this lane. It is copied, and the copy kept up to date.
        sums: Over all examples measured.
        is_over: Whether the target is certainly not met.
    """

    metric: str
    target: Target | None
    recall: Recall
    sums: Sums = field(default_factory=Sums)
    is_over: bool = False
    _first: Sums = field(default_factory=Sums)
    _more: int = FEW
    _left: Rows = field(init=False)
    _is_left: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.recall = self.recall.copy()
        self._left = np.arange(len(self.recall.wrong))
        self._is_left = np.ones(len(self.recall.wrong), dtype=np.bool_)

    @property
    def is_whole(self) -> bool:
        """Whether all examples were measured."""
        return self.sums.seen == len(self.recall.wrong)

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be measured."""
        return self.is_over or self.is_whole

    def pick(self, most: int) -> Rows:
        """The examples to measure after the first block, `most` at most: those that should decide."""
        return self._left[:most] if self.target is None or most >= len(self._left) else self._hardest(most)

    def add(self, rows: Rows, wrong: NDArray[np.bool_], losses: NDArray[np.floating]) -> None:
        """Add examples that were measured.

        Args:
            rows: Their numbers: the first ones of all at first, and then as `pick` gave them.
            wrong: Whether each is wrong, `[example]`.
            losses: The loss of each, `[example]`; none is negative.
        """
        self.recall.wrong[rows], self.recall.losses[rows] = wrong, losses
        is_first = not self.sums.seen
        self.sums = self.sums.plus(wrong, losses)
        if is_first:
            self._first = self.sums
        self._is_left[rows] = False
        self._left = self._left[self._is_left[self._left]]
        self.is_over = not self._may_pass()

    def values(self) -> dict[str, float]:
        """The loss, and the accuracy if it decides or else the error: over all examples, or over the first block.

        All examples are summed in the order in which they are kept, whatever order they were measured in.
        """
        sums = Sums().plus(self.recall.wrong, self.recall.losses) if self.is_whole else self._first
        name, many = (ACCURACY, sums.seen - sums.wrong) if self.metric == ACCURACY else (ERROR, sums.wrong)
        return {LOSS: mean(sums.loss, sums.seen), name: mean(many, sums.seen)}

    @property
    def partial(self) -> dict[str, int]:
        """How many examples each of the values rests on, if these are not all."""
        return {} if self.is_whole else dict.fromkeys(self.values(), self._first.seen)

    def _may_pass(self) -> bool:
        """Whether the target can still be met, if all examples that are left are ideal.

        This is the arithmetic of `values`, and sums only grow. So nothing that is ruled out here is found there. The
        order changes the last digits of a sum of losses; they do not count here.
        """
        if self.target is None:
            return True
        examples = len(self.recall.wrong)
        best = {LOSS: self.sums.loss * (1 - ROUNDING), ERROR: self.sums.wrong, ACCURACY: examples - self.sums.wrong}[
            self.metric
        ]
        return self.target.is_met(mean(best, examples))

    def _hardest(self, most: int) -> Rows:
        """The examples with the largest losses: as many as should decide, and more each time that they did not."""
        losses = self.recall.losses[self._left]
        # Examples that the lane was never measured on are as hard as any.
        losses[losses == 0] = mean(self._first.loss, self._first.seen)
        hardest = np.argpartition(-losses, most)[:most] if most < len(losses) else np.arange(len(losses))
        hardest = self._left[hardest[np.argsort(-losses[hardest], kind="stable")]]
        terms = (self.recall.losses if self.metric == LOSS else self.recall.wrong)[hardest].cumsum(dtype=np.float64)
        enough = int(np.searchsorted(terms, MARGIN * self._missing))
        self._more *= 2
        return hardest[: min(enough, int(np.count_nonzero(terms))) + self._more]

    @property
    def _missing(self) -> float:
        """What the sum of the decisive terms lacks to rule the target out."""
        assert self.target is not None
        sums = self.sums.loss if self.metric == LOSS else self.sums.wrong
        return self.target.distance(self.target.value) * len(self.recall.wrong) - sums


def mean(total: float, many: int) -> float:
    """A sum over its number of terms; NaN if there is none."""
    return total / many if many else math.nan

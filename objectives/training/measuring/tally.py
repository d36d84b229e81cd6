"""A measurement of one lane, which ends as soon as its target is certainly not met.

The error, the loss and what the accuracy lacks to 1 are means of terms that are never negative. Once the sum over some
of the examples is too large for the target, no other example can help. So the measurement ends there, and whether the
target is met is known as surely as from all examples. This holds in any order. So after a first block those examples
are chosen that the lane got most wrong before. Hardly more of them are needed than the errors that decide.

If the chosen examples do not decide, all examples are measured, in blocks that are the same for every lane. Arithmetic
rounds a little differently in other blocks. So a chosen example counts only if it is clearly wrong, and what is
recorded never rests on chosen examples: it is the mean over all examples, or over the first block alone. The first
block is random, and its size does not depend on what was found, so its mean is not biased. The mean up to an error that
decides would be too large by about one in the number of errors (inverse binomial sampling, Haldane 1945).

An example of a text has several labels: the terms of its error and its loss are means over them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.training.measuring.terms import Level
from tuner.objective import Target

LOSS, ERROR, ACCURACY = "validation/loss", "validation/error", "validation/accuracy"
DECISIVE = frozenset({LOSS, ERROR, ACCURACY})
"""Metrics whose measurement may end early."""
MARGIN = 1.25
"""So many times what the decision lacks is chosen, if the examples are as wrong as before."""
FEW = 64
"""So many examples are chosen beyond those. If they do not decide, the next choice has twice as many."""
ROUNDING = 1e-3
"""A relative change of a sum of losses that is larger than any that other blocks make."""

Rows = NDArray[np.int64]
Levels = NDArray[np.int8]
Losses = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Sums:
    """Over some examples.

    Attributes:
        seen: How many there are.
        wrong: How many of their labels are predicted wrongly.
        loss: The sum of their losses.
    """

    seen: int = 0
    wrong: int = 0
    loss: float = 0.0

    def plus(self, wrong: NDArray[np.bool_], losses: Losses) -> "Sums":
        """The sums with more examples."""
        loss = self.loss + float(losses.sum(dtype=np.float64))
        return Sums(self.seen + len(wrong), self.wrong + int(np.count_nonzero(wrong)), loss)


@dataclass(slots=True)
class Tally:
    """The measurement of a lane so far.

    Attributes:
        metric: The metric that decides when the measurement ends.
        target: What the metric has to pass; None if the measurement never ends early.
        recall: The loss of each example when the lane was last measured on it, `[example]`; zero if it never was. It is
            copied, and the copy kept up to date.
        labels: How many an example has.
        is_over: Whether the target is certainly not met.
        chooses: Whether the examples picked last were chosen.
    """

    metric: str
    target: Target | None
    recall: Losses
    labels: int = 1
    is_over: bool = False
    chooses: bool = False
    _first: Sums = Sums()
    """Over the first block."""
    _blocks: Sums = Sums()
    """Over the first block and those after it."""
    _chosen: Sums = Sums()
    """Over the first block and the chosen examples that are clearly wrong."""
    _hardest: Rows | None = None
    """The examples after the first block, the largest loss first."""
    _taken: int = 0
    """How many of these were chosen."""
    _more: int = FEW
    """Examples of the next choice beyond those that should decide."""

    def __post_init__(self) -> None:
        self.recall = self.recall.copy()

    @property
    def is_whole(self) -> bool:
        """Whether all examples were measured in blocks."""
        return self._blocks.seen == len(self.recall)

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be measured."""
        return self.is_over or self.is_whole

    def pick(self, most: int) -> Rows:
        """The examples to measure next, `most` at most: the first block, then chosen ones, then the other blocks."""
        start, examples = self._blocks.seen, len(self.recall)
        may_choose = start + most < examples and 2 * self._taken < examples - start
        self.chooses = start > 0 and self.target is not None and may_choose
        return self._choose(most) if self.chooses else np.arange(start, min(start + most, examples))

    def add(self, rows: Rows, levels: Levels, losses: Losses) -> None:
        """Add examples that were measured.

        Args:
            rows: Their numbers, as `pick` gave them.
            levels: How wrong each label is (`Level`), `[example]` or `[example, position]`.
            losses: The loss of each, `[example]`; none is negative.
        """
        self.recall[rows] = losses
        if self.chooses:
            clearly = levels == Level.CLEARLY_WRONG
            self._chosen = self._chosen.plus(clearly, losses * (1 - ROUNDING))
            self.is_over = not self._may_pass(self._chosen)
            return
        self._blocks = self._blocks.plus(levels != Level.RIGHT, losses)
        self.is_over = not self._may_pass(self._blocks)
        if not self._first.seen:
            self._first = self._chosen = self._blocks

    def values(self) -> dict[str, float]:
        """The loss, and the accuracy if it decides or else the error: over all examples, or over the first block."""
        sums = self._blocks if self.is_whole else self._first
        labels = sums.seen * self.labels
        name, many = (ACCURACY, labels - sums.wrong) if self.metric == ACCURACY else (ERROR, sums.wrong)
        return {LOSS: mean(sums.loss, sums.seen), name: mean(many, labels)}

    @property
    def partial(self) -> dict[str, int]:
        """How many examples each of the values rests on, if these are not all."""
        return {} if self.is_whole else dict.fromkeys(self.values(), self._first.seen)

    def _may_pass(self, sums: Sums) -> bool:
        """Whether the target can still be met, if all examples that are left are ideal.

        This is the arithmetic of `values`, and sums only grow. So nothing that is ruled out here is found there.
        """
        if self.target is None:
            return True
        examples = len(self.recall)
        if self.metric == LOSS:
            return self.target.is_met(mean(sums.loss, examples))
        labels = examples * self.labels
        return self.target.is_met(mean(labels - sums.wrong if self.metric == ACCURACY else sums.wrong, labels))

    def _choose(self, most: int) -> Rows:
        """The hardest examples that are left: as many as should decide, and more each time that they did not."""
        assert self.target is not None
        if self._hardest is None:
            losses = self.recall[self._first.seen :].copy()
            # Examples that the lane was never measured on are as hard as any.
            losses[losses == 0] = mean(self._first.loss, self._first.seen)
            self._hardest = self._first.seen + np.argsort(-losses)
        rows = self._hardest[self._taken : self._taken + most]
        by_loss, terms = self.metric == LOSS, self._expected(self.recall[rows])
        whole = len(self.recall) * (1 if by_loss else self.labels)
        found = self._chosen.loss if by_loss else self._chosen.wrong
        missing = self.target.distance(self.target.value) * whole - found
        enough = int(np.searchsorted(terms.cumsum(dtype=np.float64), MARGIN * missing))
        rows = rows[: min(enough, int(np.count_nonzero(terms))) + self._more]
        self._more *= 2
        self._taken += len(rows)
        return rows

    def _expected(self, losses: Losses) -> NDArray[np.generic]:
        """What examples of these losses probably add to the sum that decides."""
        if self.metric == LOSS:
            return losses
        if self.labels == 1:
            # An example is most likely wrong if its label has less than half of the probability.
            return losses > math.log(2)
        of_a_nat = self._first.wrong / self._first.loss if self._first.loss else math.nan
        with np.errstate(invalid="ignore"):  # a loss may be infinite
            expected: Losses = np.minimum(losses * of_a_nat, self.labels)
        return expected


def mean(total: float, many: int) -> float:
    """A sum over its number of terms; NaN if there is none."""
    return total / many if many else math.nan

"""Divergence: a training loss that is not finite, or that stays above what it was before training.

A loss is a mean over enough examples to mean the same at every batch size. A trial may rise above its initial loss and
come back, late if its momentum is large. So every mean over the last quarter of its steps must be too high. Of the
trials that this ends, at most one in a hundred would have reached the target (`tests.benchmarks.divergence`).

A workload need not measure the training loss. Its trials have diverged if the goal's metric is not finite.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from tuner.trial import Measurement

TRAIN_LOSS = "train/loss"
EXAMPLES = 256
"""A mean covers so many examples, or all between two measurements if these are more."""
MARGIN = 0.05
"""A mean is too high if it exceeds the initial loss by more than this share of it."""
SHARE = 0.25
"""All means over this last share of the steps must be too high."""
GRACE = 20
"""The losses of so many first steps are no part of a mean."""


def has_diverged(curve: Sequence[Measurement], *, batch_size: int, metric: str) -> bool:
    """Whether training has failed.

    Args:
        curve: The measurements so far. The first training loss is that of the initial parameters.
        batch_size: The examples of a step.
        metric: The goal's metric, which tells if there is no training loss.
    """
    if TRAIN_LOSS not in curve[-1].metrics or TRAIN_LOSS not in curve[0].metrics:
        curve = [each for each in curve if TRAIN_LOSS in each.metrics] or curve
        if TRAIN_LOSS not in curve[-1].metrics:
            return not math.isfinite(curve[-1].metrics.get(metric, 0.0))
    if not math.isfinite(curve[-1].metrics[TRAIN_LOSS]):
        return True
    initial = curve[0].metrics[TRAIN_LOSS]
    highest = initial + MARGIN * abs(initial)
    last, end = curve[-1].step, len(curve) - 1
    while last - curve[end].step < SHARE * last:
        start = _start(curve, end, EXAMPLES / batch_size)
        if start is None or _mean(curve[start : end + 1]) <= highest:
            return False
        end = start
    return True


def _start(curve: Sequence[Measurement], end: int, steps: float) -> int | None:
    """The last measurement at least so many steps before another; None if it is among the first steps."""
    for start in range(end - 1, -1, -1):
        if curve[start].step < GRACE:
            return None
        if curve[end].step - curve[start].step >= steps:
            return start
    return None


def _mean(curve: Sequence[Measurement]) -> float:
    """The mean training loss from the first measurement to the last of those that have one; too low if few have."""
    told = [each for each in curve if TRAIN_LOSS in each.metrics]
    if len(told) < 2:
        return -math.inf
    steps = [(after.step - before.step, after.metrics[TRAIN_LOSS]) for before, after in pairwise(told)]
    return math.fsum(many * loss for many, loss in steps) / (told[-1].step - told[0].step)

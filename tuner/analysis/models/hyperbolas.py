"""The curve `S = Smin (1 + Bcrit / B)` fitted to many samples at once, in log2 steps.

Levenberg and Marquardt's method (Nocedal and Wright 2006, section 10.3), a step of every sample at a time.
`scipy.optimize.least_squares` finds the same curves one after the other: the thousand fits of a bootstrap take it 1.8
seconds, and 0.03 seconds here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TYPICAL_RESIDUAL = 0.2
"""In log2 steps: residuals well above it are outliers, and pull in proportion and not in square."""
SEARCHED = 1e4
"""The critical batch size is looked for up to this factor outside the batch sizes measured."""
ITERATIONS = 200
SMALL = 1e-10
"""In log2: no sample moves by more once all are fitted."""
DAMPING = 1e-3
LEAST_DAMPING = 1e-9
"""Above rounding, where steps do not say what the critical batch size is."""


class Fitted(NamedTuple):
    """The parameters of each sample, [sample]."""

    least_steps: Array
    critical_batch_size: Array


class _Misfit(NamedTuple):
    """How far a curve is off, and how that changes with log2 of its parameters, [sample]."""

    loss: Array
    floor_slope: Array
    critical_slope: Array
    floor_curvature: Array
    mixed_curvature: Array
    critical_curvature: Array


def fit(batch_sizes: Array, steps: Array) -> Fitted:
    """The best curve through each sample, robust to single bad points: residuals count by the pseudo-Huber loss.

    Args:
        batch_sizes: Those of all samples, [point].
        steps: Infinite where a sample has no point, [sample, point]; every sample has some.
    """
    log_steps, log_sizes = np.log2(steps), np.broadcast_to(np.log2(batch_sizes), steps.shape)
    lowest, highest = log_sizes.min() - np.log2(SEARCHED), log_sizes.max() + np.log2(SEARCHED)
    floor, critical = log_steps.min(axis=1) - 0.5, log_sizes.mean(axis=1, where=np.isfinite(steps))
    damping = np.full(len(steps), DAMPING)
    found = _misfit(floor, critical, log_sizes=log_sizes, log_steps=log_steps)
    for _ in range(ITERATIONS):
        is_held = np.where(found.critical_slope > 0, critical <= lowest, critical >= highest)
        down, across = _step(found, damping, is_held=is_held)
        across = np.clip(critical + across, lowest, highest) - critical
        tried = _misfit(floor + down, critical + across, log_sizes=log_sizes, log_steps=log_steps)
        is_better = tried.loss <= found.loss
        floor, critical = floor + is_better * down, critical + is_better * across
        found = _Misfit(*(np.where(is_better, *each) for each in zip(tried, found, strict=True)))
        damping = np.maximum(damping * np.where(is_better, 0.1, 10.0), LEAST_DAMPING)
        if max(np.abs(down).max(), np.abs(across).max()) < SMALL:
            break
    return Fitted(np.exp2(floor), np.exp2(critical))


def _misfit(floor: Array, critical: Array, *, log_sizes: Array, log_steps: Array) -> _Misfit:
    """What the curves of these parameters, as log2, miss."""
    known = np.isfinite(log_steps)
    ratio = np.exp2(critical[:, None] - log_sizes)  # [sample, point], as all below
    share = ratio / (1 + ratio)  # the slope of log2(1 + ratio) in log2 of the critical batch size
    off = np.where(known, floor[:, None] + np.log2(1 + ratio) - log_steps, 0.0) / TYPICAL_RESIDUAL
    bend = np.sqrt(1 + off**2)
    pull, weight = TYPICAL_RESIDUAL * off / bend, known / bend**3
    terms = TYPICAL_RESIDUAL**2 * (bend - 1), pull, pull * share, weight, weight * share, weight * share**2
    return _Misfit(*(each.sum(axis=1) for each in terms))


def _step(found: _Misfit, damping: Array, *, is_held: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Where to go next, as a change of both parameters; the critical batch size stays where it is held."""
    critical = found.critical_slope, found.mixed_curvature, found.critical_curvature
    slope, mixed, curvature = (np.where(is_held, 0.0, each) for each in critical)
    determinant = (found.floor_curvature + damping) * (curvature + damping) - mixed**2
    down = (mixed * slope - (curvature + damping) * found.floor_slope) / determinant
    across = (mixed * found.floor_slope - (found.floor_curvature + damping) * slope) / determinant
    return down, across

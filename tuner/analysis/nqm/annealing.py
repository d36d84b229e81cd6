"""The best piecewise-constant learning-rate schedule for SGD (Zhang et al. 2019, arXiv 1907.04164, section 4).

With real lengths the final loss is smooth in the logarithms of rates and lengths, and its gradient has a closed form.
The total length that just reaches the target is then an implicit function of rates and shares, minimised by L-BFGS.
Pieces are split in two from one piece up, so that more pieces are never worse.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from tuner.analysis.nqm.crossing import Never, Steps
from tuner.analysis.nqm.model import Floats, NoisyQuadratic
from tuner.analysis.nqm.optimum import optimal
from tuner.analysis.nqm.rule import Rule
from tuner.analysis.nqm.schedule import PiecewiseConstant
from tuner.analysis.nqm.training import steps_to_target

_LAST_RESORTS = (1.0, 0.98, 0.9, 0.7, 0.4)
"""Factors of the last rate that are tried if rounding to whole steps keeps the loss just above the target."""


@dataclass(frozen=True, slots=True)
class ScheduledOptimum:
    """The best schedule at a batch size.

    Attributes:
        batch_size: Examples a gradient is averaged over.
        steps: Steps to target, or why the target is never reached.
        schedule: Learning rates and lengths.
    """

    batch_size: int
    steps: Steps
    schedule: PiecewiseConstant


def optimal_schedule(
    model: NoisyQuadratic, *, batch_size: int, target: float, pieces: int, power: float = 0.0
) -> ScheduledOptimum:
    """The piecewise-constant schedule that reaches the target in the fewest steps, for SGD, at stable learning rates.

    Args:
        model: The loss and its noise.
        batch_size: Examples a gradient is averaged over.
        target: The loss to get below.
        pieces: The number of learning rates, at most. Their lengths are free. Fewer are used where more do not help.
        power: Preconditioner power.

    Raises:
        ValueError: A value is out of range, or the target is above the initial loss.
    """
    if pieces < 1:
        raise ValueError(f"pieces = {pieces} must be at least 1")
    rule = Rule(power=power)
    constant = optimal(model, rule, batch_size=batch_size, target=target)
    limit = float(rule.largest_stable_rate(model)) * (1 - 1e-6)
    rate = min(constant.parameters["learning_rate"], limit)
    best = ScheduledOptimum(batch_size, constant.steps, PiecewiseConstant((constant.parameters["learning_rate"],)))
    if isinstance(constant.steps, Never):
        return best
    relaxed = _Relaxed(model, rule, batch_size, target, limit)
    rates, lengths = np.array([rate]), np.array([float(constant.steps)])
    for _ in range(2 * math.ceil(math.log2(pieces))):
        rates, lengths = relaxed.refine(*_split(rates, lengths, limit, most=pieces))
        rates, lengths = _merged(rates, lengths)
        found = _whole_steps(model, rule, batch_size, target, rates, lengths)
        if not isinstance(found.steps, Never) and found.steps < best.steps:  # type: ignore[operator]
            best = found
        if len(rates) == pieces:
            break
    return best


def _split(rates: Floats, lengths: Floats, limit: float, *, most: int) -> tuple[Floats, Floats]:
    """Splits pieces in two until there are `most`: the longest first, and pieces at the largest stable rate last."""
    order = np.lexsort([-lengths, rates > 0.999 * limit])
    times = 1 + np.isin(np.arange(len(rates)), order[: most - len(rates)])
    # The halves differ a little: with equal rates, the gradient would be the same for both.
    tilt = np.concatenate([[1.0] if count == 1 else [1.1, 0.9] for count in times])
    return np.repeat(rates, times) * tilt, np.repeat(lengths / times, times)


def _merged(rates: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """The same schedule with neighbours of equal rate merged, so that other pieces can be split."""
    first = np.append(True, np.abs(np.diff(np.log(rates))) > 1e-3)
    return rates[first], np.add.reduceat(lengths, np.flatnonzero(first))


def _whole_steps(
    model: NoisyQuadratic, rule: Rule, batch_size: int, target: float, rates: Floats, lengths: Floats
) -> ScheduledOptimum:
    """The schedule with its changes moved to whole steps."""
    changes = np.concatenate([[0], np.round(np.cumsum(lengths)[:-1])]).astype(int)
    whole = np.diff(changes)
    kept = np.append(whole > 0, True)
    for factor in _LAST_RESORTS:
        last = rates * np.append(np.ones(len(rates) - 1), factor)
        schedule = PiecewiseConstant(tuple(map(float, last[kept])), tuple(map(int, whole[kept[:-1]])))
        steps = steps_to_target(model, rule, batch_size=batch_size, learning_rate=schedule, target=target)
        if not isinstance(steps, Never):
            break
    return ScheduledOptimum(batch_size, steps, schedule)


@dataclass(frozen=True, slots=True)
class _Relaxed:
    """Schedules with real lengths.

    A point holds the logarithms of the rates and, up to a constant, of the shares of the total, `[2 pieces]`.
    """

    model: NoisyQuadratic
    rule: Rule
    batch_size: int
    target: float
    limit: float

    def refine(self, rates: Floats, lengths: Floats) -> tuple[Floats, Floats]:
        """The best rates and lengths near these."""
        pieces = len(rates)
        rates = np.minimum(rates, self.limit)
        point = np.concatenate([np.log(rates), np.log(lengths)])
        top = math.log(self.limit)
        bounds = [(top - 40.0, top)] * pieces + [(None, None)] * pieces
        solved = minimize(
            self._total,
            point,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-9},
        ).x
        total = math.exp(self._total(solved)[0])
        return np.exp(solved[:pieces]), total * softmax(solved[pieces:])

    def _total(self, point: Floats) -> tuple[float, Floats]:
        """The logarithm of the total length that reaches the target, and its gradient."""
        pieces = len(point) // 2
        rates, shares = np.exp(point[:pieces]), softmax(point[pieces:])
        low, high = 0.0, 50 * math.log(2)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (
                (low, middle) if self._loss(rates, shares * math.exp(middle))[0] < self.target else (middle, high)
            )
        lengths = shares * math.exp(high)
        _, by_rate, by_length = self._loss(rates, lengths)
        by_total = float(by_length @ lengths)
        by_share = by_length * lengths - shares * by_total
        if by_total >= 0 or high >= 50 * math.log(2) - 1e-6:
            return 50 * math.log(2), np.zeros_like(point)
        return high, -np.concatenate([by_rate * rates, by_share]) / by_total

    def _loss(self, rates: Floats, lengths: Floats) -> tuple[float, Floats, Floats]:
        """The final loss, and its derivatives by each rate and length.

        Per mode, with `keep = (1 - a)^(2 length)` and `settled` the piece's fixed point, a piece takes `s` to
        `settled + keep (s - settled)`.
        """
        model, power = self.model, self.rule.power
        slope = model.curvature ** (1 - power)
        decay = rates[:, None] * slope  # [piece, mode]
        gap = np.where(np.abs(1 - decay) < 1e-9, 1e-9, 1 - decay)
        settled = rates[:, None] * model.curvature ** (-2 * power) * model.noise / (
            self.batch_size * slope * (2 - decay)
        )  # fmt: skip
        keep = np.exp(np.maximum(2 * lengths[:, None] * np.log(np.abs(gap)), -700.0))
        later = np.cumprod(np.vstack([np.ones(slope.size), keep[:0:-1]]), axis=0)[::-1]
        before = np.empty_like(decay)
        moment = model.start
        for piece in range(len(rates)):
            before[piece] = moment
            moment = settled[piece] + keep[piece] * (moment - settled[piece])
        excess = keep * (before - settled)
        by_length = (later * excess * 2 * np.log(np.abs(gap))) @ model.weight
        settled_slope = settled * 2 / (rates[:, None] * (2 - decay))
        by_rate = (later * (settled_slope * (1 - keep) - excess * 2 * lengths[:, None] * slope / gap)) @ model.weight
        return float(model.weight @ moment), by_rate, by_length

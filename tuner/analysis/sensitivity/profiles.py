"""Profiles: within which values of a parameter can the others be tuned to come close to the optimum?

The profile of a parameter is the fewest steps at each of its values, all others free. Two things are known of it. The
search trials that came within a factor of the best show that their values allow it: the interval is at least as wide as
these span. But of 50 trials few come within 1.1x of the luckiest, and they span a quarter of the truth. So a Gaussian
process is fitted to all trials, those of confirmation too, and its least value over the other parameters is taken at
each value of this one, relative to the least of all, which no lucky seed lowers. The interval is what either says.

Measured on synthetic landscapes with a known profile, TPE, 50 trials
(`python -m tests.tuner.analysis.sensitivity.intervals 200`):

    interval                 share of it that is true   share of the truth that is in it
    1.1x, from trials alone                      85 %                               27 %
    1.1x                                         84 %                               85 %
    2x, from trials alone                        99 %                               66 %
    2x                                           94 %                               97 %
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.models.columns import Columns
from tuner.analysis.optimum.candidates import best_trials
from tuner.experiment.sequences import halton
from tuner.experiment.space import Range
from tuner.records import CONFIRMATION, Role, StudyRecord, TrialRecord
from tuner.trial import Value

Array = NDArray[np.float64]

FACTORS = (1.1, 2.0)
"""How close to the optimum, as multiples of its steps."""
LEAST_TRIALS = 10
"""With fewer trials the process is not asked; the interval is what they span."""
WORST = 3.0
"""Trials that diverged, or were worse than the best by more log2 steps than this, count as this much worse: how much
worse does not matter, and would bend the process where it does."""
GRID = np.linspace(0.0, 1.0, 41)
COVER = 128
"""Coordinates all over the space that are looked at first, and around the best ones at each distance."""
ZOOMS = (0.15, 0.04)
"""How far around the best coordinates the next ones lie, in shares of a range."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The values of a range that allow the rest to come within a factor of the optimum's steps.

    Attributes:
        factor: How close, as a multiple of the optimum's steps.
        low, high: Where the interval ends.
        low_open, high_open: Whether it ends only because the range does.
        shown: The least and greatest value of the trials that did come that close to the best of them.
        trials: How many did.
    """

    factor: float
    low: float
    high: float
    low_open: bool
    high_open: bool
    shown: tuple[float, float]
    trials: int


@dataclass(frozen=True, slots=True)
class Profile:
    """How much one parameter's value matters.

    Attributes:
        limits: Its range.
        modelled: Whether a process was fitted; else the intervals are what trials span.
        tolerances: One for each of `FACTORS`.
    """

    parameter: str
    limits: Range
    modelled: bool
    tolerances: tuple[Tolerance, ...]


def profiles(study: StudyRecord, optimum: Mapping[str, Value]) -> tuple[Profile, ...]:
    """The profile of each range of a study's space.

    Args:
        study: With a search trial that has a score.
        optimum: The best point known; every interval holds it.
    """
    ranges = dict(study.space.ranges())
    columns = Columns(study.space)
    finished = study.finished(Role.SEARCH, *CONFIRMATION)
    coordinates = np.array([columns.coordinates(each.plan.hyperparameters) for each in finished])
    losses = np.array([_loss(each) for each in finished])
    curves = _curves(columns, coordinates, losses) if ranges and len(finished) >= LEAST_TRIALS else None
    reached = best_trials(study, len(finished))
    excess = np.array([_loss(each) for each in reached]) - _loss(reached[0])
    close = np.array([columns.coordinates(each.plan.hyperparameters) for each in reached])
    best = columns.coordinates(optimum)
    return tuple(
        Profile(
            parameter=name,
            limits=limits,
            modelled=curves is not None,
            tolerances=tuple(
                _tolerance(
                    limits,
                    factor=factor,
                    best=best[column],
                    close=close[excess <= math.log2(factor) + 1e-9, column],
                    curve=None if curves is None else curves[column],
                )
                for factor in FACTORS
            ),
        )
        for column, (name, limits) in enumerate(ranges.items())
    )


def _tolerance(limits: Range, *, factor: float, best: float, close: Array, curve: Array | None) -> Tolerance:
    """The interval of one range for one factor, from positions (the optimum's, close trials') and its profile."""
    shown = float(close.min()), float(close.max())
    low, high = min(best, shown[0]), max(best, shown[1])
    if curve is not None:
        modelled = _below(curve, math.log2(factor))
        low, high = min(low, modelled[0]), max(high, modelled[1])
    return Tolerance(
        factor=factor,
        low=limits.at(low),
        high=limits.at(high),
        low_open=low <= 0,
        high_open=high >= 1,
        shown=(limits.at(shown[0]), limits.at(shown[1])),
        trials=len(close),
    )


def _curves(columns: Columns, coordinates: Array, losses: Array) -> Array:
    """log2 steps above the least, [range, grid], as the process through the trials has it."""
    from tuner.analysis.models import gaussian_process  # loads optimizers, which the rest of a report does without

    ranges = len(columns.ranges)
    process = gaussian_process.fit(columns.rows(coordinates), np.minimum(losses, losses.min() + WORST))

    def expected(tried: Array) -> Array:
        return process.at(columns.rows(tried))

    curves = np.array([_least(expected, coordinates, column, ranges) for column in range(ranges)])
    return np.asarray(curves - curves.min(axis=1, keepdims=True))


def _least(expected: Callable[[Array], Array], coordinates: Array, column: int, ranges: int) -> Array:
    """The least expected at each value of one column, [grid]: looked for everywhere, then ever closer.

    Choices stay as they are in some trial.
    """
    cover = halton(0, COVER, ranges, seed=0)
    spread = np.resize(coordinates, (len(cover), coordinates.shape[1]))
    spread[:, :ranges] = cover
    around = np.zeros(spread.shape)
    around[:, :ranges] = 2 * cover - 1
    tried = np.repeat(np.vstack([coordinates, spread])[None], len(GRID), axis=0)  # [grid, coordinates, column]
    for zoom in (*ZOOMS, 0.0):
        tried[:, :, column] = GRID[:, None]
        values = expected(tried.reshape(-1, tried.shape[2])).reshape(tried.shape[:2])
        best = tried[np.arange(len(GRID)), values.argmin(axis=1)]
        tried = np.clip(np.concatenate([best[:, None], best[:, None] + zoom * around[None]], axis=1), 0.0, 1.0)
    return np.asarray(values.min(axis=1))


def _below(curve: Array, threshold: float) -> tuple[float, float]:
    """From where to where a curve on the grid is at most a threshold: its outermost crossings."""
    inside = np.flatnonzero(curve <= threshold)
    return _crossing(curve, inside[0], -1, threshold), _crossing(curve, inside[-1], 1, threshold)


def _crossing(curve: Array, last: int, step: int, threshold: float) -> float:
    """Where a curve crosses a threshold, going on from the last coordinates inside; the grid's end if it does not."""
    beyond = last + step
    if not 0 <= beyond < len(GRID):
        return float(GRID[last])
    share = (threshold - curve[last]) / (curve[beyond] - curve[last])
    return float(GRID[last] + share * (GRID[beyond] - GRID[last]))


def _loss(trial: TrialRecord) -> float:
    """log2 of the score, or what the sampler was told instead; infinite if it diverged or raised an error."""
    end = trial.end
    if end is None or not end.outcome.has_trained:
        return math.inf
    return math.log2(end.score) if math.isfinite(end.score) else end.loss

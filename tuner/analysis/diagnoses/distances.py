"""The distance from the start against the logarithm of time (Hoffer et al. 2017, arXiv 1705.08741, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 4
"""Measurements that a fit of two numbers needs at least."""


@dataclass(frozen=True, slots=True)
class LogFit:
    """`distance = start + growth log t` over the steps of a trial, by least squares.

    Attributes:
        start: The distance after one step, as fitted.
        growth: For each e-fold of the steps.
        explained: The share of the variance that the line explains, `R^2`.
    """

    start: float
    growth: float
    explained: float


def log_fit(steps: Sequence[int], distances: Sequence[float]) -> LogFit | None:
    """The line through distances at some steps; None if there are too few, or the distance never changes."""
    logs, seen = np.log(np.array(steps, dtype=float)), np.array(distances, dtype=float)
    if len(logs) < LEAST or not np.isfinite(seen).all() or np.ptp(seen) == 0:
        return None
    growth, start = np.polyfit(logs, seen, 1)
    rest = seen - (start + growth * logs)
    return LogFit(float(start), float(growth), float(1 - rest.var() / seen.var()))

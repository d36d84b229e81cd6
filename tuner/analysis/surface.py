"""A quadratic response surface of a study: log2 steps as a function of where a point lies in the box.

Bayesian linear regression on `1, z, z^2, z_i z_j` with `z` the position less one half. The prior keeps what the trials
do not determine near zero, so that a surface of 15 coefficients can be fitted to 20 trials; how strong it is and how
noisy the trials are is chosen by the evidence (MacKay 1992, "Bayesian interpolation").
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]

NOISES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
"""Standard deviations of log2 steps between seeds that are considered; 0.2 is 15 %."""
STRENGTHS = (0.1, 0.3, 1.0)
"""Fractions of the prior's full width that are considered."""
OFFSET, SLOPE, CURVATURE = 10.0, 3.0, 8.0
"""Full prior widths, in log2 steps: a range may be worth a factor of 8 in steps from end to end, before curvature."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A fitted surface.

    Attributes:
        weights: Posterior mean, [feature].
        covariance: Posterior covariance, [feature, feature].
        noise: Standard deviation of log2 steps between seeds.
    """

    weights: Array
    covariance: Array
    noise: float

    def at(self, positions: Array) -> Array:
        """Expected log2 steps, but for a constant, at positions [point, parameter]; [point]."""
        return np.asarray(_features(positions) @ self.weights)

    def probability_of_gain(self, start: Array, end: Array, *, more_than: float) -> float:
        """How probable it is that going from one position to another saves more than so many log2 steps."""
        difference = _features(start[None])[0] - _features(end[None])[0]  # [feature]
        mean = float(difference @ self.weights)
        deviation = math.sqrt(max(float(difference @ self.covariance @ difference), 0.0))
        return float(norm.sf(more_than, mean, deviation)) if deviation > 0 else float(mean > more_than)


def fit(positions: Array, losses: Array) -> Surface:
    """The surface through some trials.

    Args:
        positions: Where the trials lie in the box, 0 to 1, [trial, parameter].
        losses: Their log2 steps, [trial].
    """
    features = _features(positions)
    centred = losses - losses.mean()
    width = _prior(positions.shape[1])
    noise, strength = max(
        itertools.product(NOISES, STRENGTHS),
        key=lambda pair: _evidence(features * width * pair[1], centred, noise=pair[0]),
    )
    precision = features.T @ features / noise**2 + np.diag((width * strength) ** -2)
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return Surface(covariance @ features.T @ centred / noise**2, covariance, noise)


def _features(positions: Array) -> Array:
    """`1, z, z^2, z_i z_j` at each position, [point, feature]."""
    centred = positions - 0.5
    pairs = itertools.combinations_with_replacement(range(positions.shape[1]), 2)
    products = [centred[:, i] * centred[:, j] for i, j in pairs]
    return np.column_stack([np.ones(len(positions)), centred, *products])


def _prior(parameters: int) -> Array:
    """Full prior width of each feature's weight, [feature]."""
    products = parameters * (parameters + 1) // 2
    return np.array([OFFSET] + [SLOPE] * parameters + [CURVATURE] * products)


def _evidence(scaled: Array, centred: Array, *, noise: float) -> float:
    """Log probability of the losses, but for a constant, under features scaled to unit prior width."""
    covariance = scaled @ scaled.T + noise**2 * np.eye(len(centred))
    _, log_determinant = np.linalg.slogdet(covariance)
    return float(-0.5 * (log_determinant + centred @ np.linalg.solve(covariance, centred)))

"""The roots of each mode's 2 x 2 matrix, and its powers by way of them, exact at any exponent.

    A^k = mu^k (c_k I + S_k G),

where `mu` is the larger root in modulus, `c_k = 1` and `S_k = (1 - r^k) / (1 - r)` for real roots of ratio `r`, and
`c_k = cos(k theta)`, `S_k = sin(k theta) / sin(theta)` for a complex pair. Neither loses digits where roots meet.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuner.analysis.nqm.model import Floats

_LOG_ZERO = -138.0
"""The logarithm that stands for a root of 0: its powers vanish beside anything, and its inverse squared is finite."""
_LOG_HUGE = 200.0
"""Growth beyond `exp` of this is divergence; larger numbers would overflow when squared."""


class Waves(NamedTuple):
    """The powers of every mode's matrix: `A^k = sign sqrt(growth) (cosine I + sine G)`, each `[step..., mode]`."""

    growth: Floats
    cosine: Floats
    sine: Floats


class Roots(NamedTuple):
    """The roots of every mode's matrix, `[..., mode]`.

    Attributes:
        log_modulus: Logarithm of the larger root's modulus.
        log_ratio: Logarithm of the smaller root's modulus over the larger's, at most 0. Real roots.
        flips: Whether the roots' signs differ. Real roots.
        angle: Of the complex pair; 0 for real roots.
        generator: The four entries of `G`, row by row.
    """

    log_modulus: Floats
    log_ratio: Floats
    flips: NDArray[np.bool_]
    angle: Floats
    generator: tuple[Floats, Floats, Floats, Floats]

    def waves(self, steps: ArrayLike) -> Waves:
        """The powers of every mode's matrix after `steps` steps, `[step..., ..., mode]`."""
        k = np.asarray(steps, dtype=float)[..., None]
        growth = np.exp(np.minimum(2 * k * self.log_modulus, _LOG_HUGE))
        gap = -np.expm1(self.log_ratio)
        shrunk = np.expm1(np.maximum(k * self.log_ratio, -700.0))
        sine = np.where(gap > 0, -shrunk / np.where(gap > 0, gap, 1.0), k)
        cosine = np.ones_like(sine)
        if np.any(self.flips):
            sign = 1 - 2 * (k % 2)
            sine = np.where(self.flips, (1 - sign * (1 + shrunk)) / (2 - gap), sine)
        complex_pair = np.broadcast_to(self.angle > 0, sine.shape)
        if np.any(complex_pair):
            phase = k * self.angle
            np.cos(phase, out=cosine, where=complex_pair)
            np.divide(np.sin(phase, where=complex_pair, out=np.zeros_like(sine)), np.sin(self.angle),
                      out=sine, where=complex_pair)  # fmt: skip
        return Waves(growth, cosine, sine)


def heavy_ball_roots(decay: Floats, margin: Floats, momentum: Floats) -> Roots:
    """Roots `mu`, `nu` of `[[1-a, b], [-a, b]]`: their sum is `1 - a + b`, their product `b`.

    So `(1 - mu)(1 - nu) = a` and `(1 + mu)(1 + nu) = 2 (1 + b) - a`, the margin to the edge of stability: these give
    the distance of `mu` from 1 and from -1 without losing its digits.
    """
    root = np.sqrt(momentum)
    low, high = ((1 - momentum) / (1 + root)) ** 2, (1 + root) ** 2
    discriminant = (decay - low) * (decay - high)
    width = np.sqrt(np.abs(discriminant))
    is_pair, is_negative = discriminant < 0, decay >= high
    total = 1 - decay + momentum
    slow = 2 * decay / (1 - momentum + decay + width)
    fast = 2 * margin / np.where(is_negative, 2 + total + width, 1.0)
    log_root = _log(momentum) / 2
    log_modulus = _log1p(-np.where(is_negative, fast, slow))
    log_ratio = np.clip(2 * (log_root - log_modulus), -1400.0, 0.0)
    ratio, mu = np.exp(np.maximum(log_ratio, -700.0)), np.where(is_negative, -1.0, 1.0) * np.exp(log_modulus)
    nu = ratio * mu
    real = (ratio * np.where(is_negative, 2 - fast, slow), nu, -decay / mu, nu - 1)
    modulus = np.exp(np.maximum(log_root, _LOG_ZERO))
    half = (1 - decay - momentum) / (2 * modulus)
    pair = (half, modulus, -decay / modulus, -half)
    return Roots(
        np.where(is_pair, log_root, log_modulus),
        np.where(is_pair, -1.0, log_ratio),
        np.zeros(decay.shape, dtype=bool),
        np.where(is_pair, np.arctan2(width, total), 0.0),
        tuple(np.where(is_pair, *each) for each in zip(pair, real, strict=True)),
    )


def average_roots(decay: Floats, margin: Floats, averaging: Floats) -> Roots:
    """Roots of `[[1-a, 0], [1-a, g]]`: its diagonal."""
    flips = (decay > 1) & (averaging > 0)
    log_keep = _log1p(-np.where(decay > 1, margin, decay))
    log_averaging = np.broadcast_to(_log(averaging), decay.shape)
    is_keep = log_keep >= log_averaging
    log_modulus = np.maximum(log_keep, log_averaging)
    log_ratio = np.minimum(log_keep, log_averaging) - log_modulus
    to_ratio = np.where(flips, -1 - np.exp(log_ratio), np.expm1(log_ratio))
    zero = np.zeros_like(decay)
    generator = (
        np.where(is_keep, zero, to_ratio),
        zero,
        np.where(is_keep, 1.0, 1 + to_ratio),
        np.where(is_keep, to_ratio, zero),
    )
    return Roots(log_modulus, log_ratio, flips, zero, generator)


def _log(values: Floats) -> Floats:
    """The logarithm, `_LOG_ZERO` for 0."""
    return np.where(values > 0, np.log(np.where(values > 0, values, 1.0)), _LOG_ZERO)


def _log1p(values: Floats) -> Floats:
    """The logarithm of one more, `_LOG_ZERO` for -1."""
    return np.where(values > -1, np.log1p(np.where(values > -1, values, 0.0)), _LOG_ZERO)

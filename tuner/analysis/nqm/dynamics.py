"""Exact second moments of SGD, heavy ball and weight averaging on the noisy quadratic model, at any step.

Zhang et al. 2019, arXiv 1907.04164; the closed form is ours. Each mode is a linear recursion of two numbers (position
and velocity, or position and average) whose matrix `A` has closed-form powers (`roots`), so that a billion steps cost
as much as one. With the stationary moments `Z`,

    moments(k) = A^k (moments(0) - Z) A^k' + Z,    loss(k) = remaining(k) + accumulated(k):

the remainder of the start, and the noise accumulated since, which never decreases. `crossing` builds on that split.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuner.analysis.nqm.model import Floats, NoisyQuadratic, check_batch_size
from tuner.analysis.nqm.roots import Roots, Waves, average_roots, heavy_ball_roots
from tuner.analysis.nqm.rule import Method, Rule

_EDGE = 1e-9
"""Relative distance from the edge of stability that no mode comes closer to: stationary moments are infinite there."""


class Moments(NamedTuple):
    """Second moments of each mode's pair (position and velocity, or position and average), `[..., mode]`."""

    position: Floats
    other: Floats
    cross: Floats

    def minus(self, those: "Moments") -> "Moments":
        return Moments(*(mine - theirs for mine, theirs in zip(self, those, strict=True)))

    def plus(self, those: "Moments") -> "Moments":
        return Moments(*(mine + theirs for mine, theirs in zip(self, those, strict=True)))

    def through(self, first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> "Moments":
        """The moments after every pair went through a matrix, given by its rows: `A moments A'`."""
        (p, q), (r, s), (xx, yy, xy) = first, second, self
        return Moments(
            p**2 * xx + 2 * p * q * xy + q**2 * yy,
            r**2 * xx + 2 * r * s * xy + s**2 * yy,
            p * r * xx + (p * s + q * r) * xy + q * s * yy,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dynamics:
    """Training at constant hyperparameters, for any number of settings at once. Build it with `dynamics`.

    A setting is an element of the leading axes `...`; steps broadcast against those.

    Attributes:
        roots: Of each mode's matrix.
        weight: The factor of each mode's observed second moment in the loss, `[..., mode]`.
        stationary: The fixed point of the moments. Where a mode is unstable this is a formal one, not a variance.
        averaged: Whether the loss is measured at the average.
    """

    roots: Roots
    weight: Floats
    stationary: Moments
    averaged: bool

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Whether the expected loss stays finite, `[...]`."""
        return np.asarray(np.all(self.roots.log_modulus < 0, axis=-1))

    @property
    def settled_loss(self) -> Floats:
        """The loss at the fixed point, `[...]`. Formal where unstable."""
        return _total(self.weight, self.stationary.other if self.averaged else self.stationary.position)

    def loss(self, start: Moments, steps: ArrayLike) -> Floats:
        """The expected loss after `steps` steps from moments `start`, `[step..., ...]`; huge where it diverged."""
        with np.errstate(under="ignore"):
            decaying = observe(self, start.minus(self.stationary), self.roots.waves(steps))
            return self.settled_loss + _total(self.weight, decaying)

    def moments(self, start: Moments, steps: ArrayLike) -> Moments:
        """The second moments after `steps` steps, `[step..., ..., mode]`."""
        with np.errstate(under="ignore"):
            return self.decayed(start.minus(self.stationary), steps).plus(self.stationary)

    def accumulated(self, steps: ArrayLike) -> Moments:
        """The second moments that come from the noise of `steps` steps, `[step..., ..., mode]`."""
        with np.errstate(under="ignore"):
            return self.stationary.minus(self.decayed(self.stationary, steps))

    def decayed(self, start: Moments, steps: ArrayLike) -> Moments:
        """The second moments after `steps` steps without noise: `A^k start A^k'`, `[step..., ..., mode]`."""
        growth, c, s = self.roots.waves(steps)
        g00, g01, g10, g11 = self.roots.generator
        left = start.through((c + s * g00, s * g01), (s * g10, c + s * g11))
        return Moments(*(growth * each for each in left))


def observe(dynamics: Dynamics, moments: Moments, waves: Waves) -> Floats:
    """The second moment that the loss sees, of what is left of `moments`, `[step..., ..., mode]`."""
    growth, cosine, sine = waves
    if dynamics.averaged:
        _, _, g10, g11 = dynamics.roots.generator
        return growth * _of_combination(moments, sine * g10, cosine + sine * g11)
    still, mixed, moving = parabola(dynamics, moments)
    return growth * (cosine**2 * still + 2 * cosine * sine * mixed + sine**2 * moving)


def _of_combination(moments: Moments, position: Floats, other: Floats) -> Floats:
    """The second moment of a combination of each mode's pair, with these two factors.

    The average of an oscillating position passes through zero, where the three terms of the square cancel almost
    entirely. Therefore `E (p x + q y)^2` is computed as `E x^2 (p + q m)^2 + q^2 (E y^2 - m^2 E x^2)` with
    `m = E xy / E x^2`: in the first term only numbers cancel and not their squares, and `q` shrinks with every step.
    Where `x` explains more of `y` than there is, which no pair but the difference of two can do, this would lose digits
    itself, and the plain sum is taken.
    """
    xx, yy, xy = moments
    is_pair = (xx != 0) & (np.abs(xy**2) <= 2 * np.abs(xx * yy))
    slope = np.where(is_pair, xy / np.where(is_pair, xx, 1.0), 0.0)
    completed = xx * (position + other * slope) ** 2 + other**2 * (yy - slope * xy)
    plain = xx * position**2 + 2 * position * other * xy + other**2 * yy
    return np.where(is_pair, completed, plain)


def parabola(dynamics: Dynamics, moments: Moments) -> tuple[Floats, Floats, Floats]:
    """The moments of `y` and `(G z)_y`, for `y` the observed half of the pair `z`: `E y^2`, `E y g`, `E g^2`."""
    xx, yy, xy = moments
    g00, g01, g10, g11 = dynamics.roots.generator
    if dynamics.averaged:
        return yy, g10 * xy + g11 * yy, g10**2 * xx + 2 * g10 * g11 * xy + g11**2 * yy
    return xx, g00 * xx + g01 * xy, g00**2 * xx + 2 * g00 * g01 * xy + g01**2 * yy


def dynamics(
    model: NoisyQuadratic, rule: Rule, *, batch_size: ArrayLike, learning_rate: ArrayLike, coefficient: ArrayLike = 0.0
) -> Dynamics:
    """The dynamics of every setting. Batch sizes, learning rates and coefficients broadcast to its shape `[...]`.

    Raises:
        ValueError: A learning rate, coefficient or batch size makes no sense.
    """
    settings = np.broadcast_arrays(
        *(np.asarray(each, dtype=float) for each in (batch_size, learning_rate, coefficient))
    )
    for size, rate, memory in zip(*(each.ravel() for each in settings), strict=True):
        check_batch_size(size)
        rule.check(rate, memory)
    size, rate, memory = (each[..., None] for each in settings)
    decay = rate * model.curvature ** (1 - rule.power)
    edge = 2 * (1 + memory) if rule.method is Method.HEAVY_BALL else np.full_like(memory, 2.0)
    decay = np.where(np.abs(edge - decay) < _EDGE * edge, edge * (1 + _EDGE), decay)
    margin = edge - decay
    noise = (rate * model.curvature**-rule.power) ** 2 * model.noise / size
    averaged = rule.method is Method.AVERAGE
    return Dynamics(
        average_roots(decay, margin, memory) if averaged else heavy_ball_roots(decay, margin, memory),
        model.weight * (1 - memory) ** 2 if averaged else np.broadcast_to(model.weight, decay.shape),
        _stationary(decay, margin, noise, memory, averaged=averaged),
        averaged,
    )


def starting_moments(model: NoisyQuadratic, rule: Rule, coefficient: ArrayLike = 0.0) -> Moments:
    """The moments before the first step: no velocity, or an average that has always been at the start."""
    memory = np.asarray(coefficient, dtype=float)[..., None]
    position = np.broadcast_to(model.start, np.broadcast_shapes(memory.shape, model.start.shape))
    if rule.method is Method.AVERAGE:
        return Moments(position, position / (1 - memory) ** 2, position / (1 - memory))
    return Moments(position, np.zeros_like(position), np.zeros_like(position))


def _stationary(decay: Floats, margin: Floats, noise: Floats, memory: Floats, *, averaged: bool) -> Moments:
    """The fixed point of the moments.

    Heavy ball has the rows `[(1-a)^2, b^2, 2(1-a)b]`, `[a^2, b^2, -2ab]`, `[-(1-a)a, b^2, (1-2a)b]`; weight averaging
    `[(1-a)^2, 0, 0]`, `[(1-a)^2, g^2, 2g(1-a)]`, `[(1-a)^2, 0, g(1-a)]`. `margin` is `2 (1 + b) - a`, and `2 - a`.
    """
    if averaged:
        position, mixed = noise / (decay * margin), memory * (1 - decay)
        cross = position / (1 - mixed)
        return Moments(position, cross * (1 + mixed) / (1 - memory**2), cross)
    position = noise * (1 + memory) / ((1 - memory) * decay * margin)
    cross = position * decay / (1 + memory)
    return Moments(position, 2 * cross, cross)


def _total(weight: Floats, moments: Floats) -> Floats:
    """The weighted sum over modes, `[...]`."""
    return np.asarray(np.einsum("...m,...m->...", weight, moments))

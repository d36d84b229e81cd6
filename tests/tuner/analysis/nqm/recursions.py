"""The noisy quadratic model one step at a time, exactly as the paper's recursions say: slow, plain, the reference."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.nqm import Method, NoisyQuadratic, Rule

Floats = NDArray[np.float64]


def losses(
    model: NoisyQuadratic,
    rule: Rule,
    *,
    batch_size: float,
    rates: Iterator[float],
    coefficient: float,
    steps: int,
    in_decimals: bool = True,
) -> Floats:
    """The expected loss after each of the first `steps` steps, each at its own learning rate.

    In decimals the recursion runs with 28 digits. Floating point is several times faster, but loses seven of its digits
    where a second moment that has grown a thousandfold passes through zero, as heavy ball's does near the largest
    stable learning rate.
    """
    given = np.vectorize(Decimal, otypes=[object]) if in_decimals else np.asarray
    averaged = rule.method is Method.AVERAGE
    c, x = given(coefficient)[()], given(model.start)
    state = np.stack([x, x / (1 - c) ** 2, x / (1 - c)] if averaged else [x, 0 * x, 0 * x])
    weight = given(0.5 * model.curvature * model.count) * ((1 - c) ** 2 if averaged else 1)
    found = []
    for _, rate in zip(range(steps), rates, strict=False):
        a = given(rate * model.curvature ** (1 - rule.power))
        noise = given((rate * model.curvature**-rule.power) ** 2 * model.noise / batch_size)
        rows = _rows(a, c, averaged=averaged)
        state = np.sum(rows * state, axis=1) + noise
        found.append(float(np.sum(weight * state[1 if averaged else 0])))
    return np.array(found)


def _rows(a: NDArray[Any], c: Any, *, averaged: bool) -> NDArray[Any]:
    """The matrix that takes the moments of each mode to those after one step, [moment, moment, mode]."""
    zero, square = 0 * a, 0 * a + c**2
    if averaged:
        return np.array(
            [
                [(1 - a) ** 2, zero, zero],
                [(1 - a) ** 2, square, 2 * c * (1 - a)],
                [(1 - a) ** 2, zero, c * (1 - a)],
            ]
        )
    return np.array(
        [
            [(1 - a) ** 2, square, 2 * (1 - a) * c],
            [a**2, square, -2 * a * c],
            [-(1 - a) * a, square, (1 - 2 * a) * c],
        ]
    )


def first_below(curve: Floats, target: float) -> int | None:
    """The first step of a curve that is below the target."""
    below = np.flatnonzero(curve < target)
    return int(below[0]) + 1 if below.size else None

"""The first step at which the expected loss is below a target, exactly, even if the loss does not fall monotonically.

The loss is `remaining(k) + accumulated(k)`. Accumulated noise never decreases. The remainder of the start has a lower
bound over any span of steps: per mode it is an exponential times a parabola in `S_k / c_k`, which is monotonic within a
span. A span whose bound is not below the target holds no crossing. Any other span is split, earliest first.
"""

from enum import StrEnum

import numpy as np

from tuner.analysis.nqm.dynamics import Dynamics, Moments, observe, parabola
from tuner.analysis.nqm.model import Floats
from tuner.analysis.nqm.roots import Waves

FOREVER = 2**50
"""The largest number of steps. Larger numbers are not exact in floating point."""
_PROBES = 32
"""The number of parts that a span is split into."""
_SLACK = 1e-12
"""Relative tolerance of bounds, so that rounding hides no crossing."""


class Never(StrEnum):
    """Why a target is never reached."""

    DIVERGES = "diverges"
    FLOOR = "floor"
    TOO_SLOW = "too_slow"

    @property
    def sentence(self) -> str:
        """The reason, for a person."""
        return {
            Never.DIVERGES: "never reaches the target: training diverges",
            Never.FLOOR: "never reaches the target: gradient noise holds the loss above it",
            Never.TOO_SLOW: f"never reaches the target: it takes more than {FOREVER:.0e} steps",
        }[self]


Steps = int | Never
"""Steps to target, or why there are none."""


def first_below(dynamics: Dynamics, start: Moments, target: float, *, end: int = FOREVER) -> int | None:
    """The first step in 1..`end` with a loss strictly below `target`, or None. One setting."""
    powers = 2.0 ** np.arange(np.ceil(np.log2(max(end, 2))))
    spans = [np.unique(np.concatenate([[0.0], powers[powers < end], [float(end)]]))]
    while spans:
        probes = spans.pop()
        if probes.size == 1:
            return int(probes[0])
        spans += [_split(low, high) for low, high in _suspects(dynamics, start, target, probes)][::-1]
    return None


def _split(low: float, high: float) -> Floats:
    """Whole steps spread over a span, or its end alone if it is a single step."""
    if high - low == 1:
        return np.array([high])
    return np.unique(np.round(np.linspace(low, high, min(_PROBES, int(high - low)) + 1)))


def _suspects(dynamics: Dynamics, start: Moments, target: float, probes: Floats) -> list[tuple[float, float]]:
    """The spans `(low, high]` between probes that may hold the first crossing, earliest first.

    A span of one step is among them only if it does; none follow one that ends below the target.
    """
    with np.errstate(under="ignore"):
        waves = dynamics.roots.waves(probes)
        remaining = dynamics.weight * observe(dynamics, start, waves)  # [probe, mode]
        released = dynamics.weight * observe(dynamics, dynamics.stationary, waves)
        accumulated = dynamics.settled_loss - released.sum(axis=1)
        loss = dynamics.settled_loss + (remaining - released).sum(axis=1)
        floor = (dynamics.weight * _floor(dynamics, start, waves, probes)).sum(axis=1)
    below = loss[1:] < target
    is_suspect = np.where(np.diff(probes) == 1, below, floor + accumulated[:-1] < target * (1 + _SLACK)) | below
    last = int(np.argmax(below)) + 1 if below.any() else below.size
    chosen = np.flatnonzero(is_suspect[:last])
    return [(float(probes[index]), float(probes[index + 1])) for index in chosen]


def _floor(dynamics: Dynamics, start: Moments, waves: Waves, probes: Floats) -> Floats:
    """A lower bound of the remainder of `start` in each span between probes, `[span, mode]`.

    With `t = S_k / c_k` the remainder is `growth c_k^2 (E y^2 + 2 t E y g + t^2 E g^2)`.
    """
    roots = dynamics.roots
    growth, cosine, sine = waves
    tangent = sine / np.where(cosine == 0, 1e-300, cosine)
    low, high = tangent[:-1], tangent[1:]
    if np.any(roots.flips):
        # Between probes S_k swings about its limit by no more than at the span's start.
        ratio = np.exp(roots.log_ratio)
        swing = np.exp(np.maximum(probes[:-1, None] * roots.log_ratio, -700.0))
        low, high = (
            np.where(roots.flips, (1 - swing) / (1 + ratio), low),
            np.where(roots.flips, (1 + swing) / (1 + ratio), high),
        )
    still, mixed, moving = parabola(dynamics, start)
    vertex = np.clip(-mixed / np.where(moving > 0, moving, 1.0), low, high)
    least = np.maximum(still + 2 * mixed * vertex + moving * vertex**2, 0.0)
    # A complex pair's tangent jumps where the cosine changes sign: a span across that has no floor.
    branch = np.floor(probes[:, None] * roots.angle / np.pi + 0.5)
    unbroken = branch[1:] == branch[:-1]
    envelope = np.minimum(growth[:-1], growth[1:]) * np.minimum(cosine[:-1] ** 2, cosine[1:] ** 2)
    return np.where(unbroken, envelope * least, 0.0)

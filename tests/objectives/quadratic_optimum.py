"""The noisy quadratic model's optimum once more, by other means than `tuner.analysis.nqm`'s, to test it against.

Each direction's position (or average) after `k` steps is a sum of two geometric series in `k`, since training is a
recurrence of order two. Differential evolution searches a box far wider than any preset's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, differential_evolution

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

WIDE = ((math.log(1e-10), math.log(100.0)), (math.log(1e-8), 0.0))
"""Bounds of `(log learning rate, log(1 - coefficient))`."""
RATIO = 1.04
"""Of successive steps at which a crossing is looked for first."""
EVERY = 600
"""Up to so many steps, the last search looks at every step."""


def spectrum() -> tuple[Floats, Floats]:
    """The authors' eigenvalues, `1 / i` rounded down to 100 geometric bins, and how many directions share each."""
    bins = np.geomspace(1e-4, 1.0, 100)
    places = np.searchsorted(bins * (1 - 1e-12), 1 / np.arange(1, 10_001), side="right") - 1
    values, counts = np.unique(bins[places], return_counts=True)
    return values, counts.astype(float)


@dataclass(frozen=True)
class Model:
    """The authors' model at one batch size, under plain SGD, heavy ball or (`averaged`) SGD with an average.

    Attributes:
        power: Of the preconditioner.
        most: Steps after which no crossing is looked for.
        target: Loss to get below.
    """

    batch_size: int
    averaged: bool
    power: float
    most: int
    target: float = 0.01

    def losses(self, rate: Floats, coefficient: Floats, steps: Floats) -> Floats:
        """The expected loss, `[setting, step]`; infinite where it overflows.

        Args:
            rate: Learning rates, `[setting]`.
            coefficient: Momenta, or averaging coefficients, `[setting]`.
            steps: `[setting, step]`.
        """
        h, count = spectrum()
        a, c = rate[:, None] * h ** (1 - self.power), coefficient[:, None] + 0 * h  # [setting, direction]
        noise = (rate[:, None] * h**-self.power) ** 2 * h / self.batch_size
        half = (1 - a + c) / 2
        width = np.abs(1 - a - c) / 2 + 0j if self.averaged else np.sqrt(half**2 - c + 0j)
        first, second = half + width, half - width
        first = np.where(np.abs(first - second) < 1e-9, first + 1e-8, first)
        # What is observed of the start, and of noise that comes in at once, after 0 and 1 steps.
        start = (1 / (1 - c), 1 - a + c / (1 - c)) if self.averaged else (1 + 0 * a, 1 - a)
        parts, kicks = _parts(first, second, *start), _parts(first, second, 1 + 0 * a, 1 - a + c)
        powers = [each[:, None] ** steps[:, :, None] for each in (first, second)]  # [setting, step, direction]
        moments = sum(part[:, None] * power for part, power in zip(parts, powers, strict=True)) ** 2
        for root, power, kick in zip((first, second), powers, kicks, strict=True):
            for other, its_power, its_kick in zip((first, second), powers, kicks, strict=True):
                moments = moments + (noise * kick * its_kick / (1 - root * other))[:, None] * (1 - power * its_power)
        weight = 0.5 * h * count * ((1 - c) ** 2 if self.averaged else 1 + 0 * c)
        found = (moments.real * weight[:, None]).sum(axis=2)
        return np.where(np.isfinite(found) & (found >= 0), found, np.inf)

    def crossings(self, points: Floats, grid: Floats) -> Floats:
        """The logarithm of the first crossing of the target, interpolated between steps, large if there is none.

        Args:
            points: `(log learning rate, log(1 - coefficient))`, or the first alone, `[setting, parameter]`.
            grid: Steps between which it is looked for. A dip between two is not seen, and makes a crossing later.
        """
        rate = np.exp(points[:, 0])
        coefficient = -np.expm1(points[:, 1]) if points.shape[1] > 1 else 0 * rate
        curve = self.losses(rate, coefficient, np.tile(grid, (len(points), 1)))
        below = curve < self.target
        place = below.argmax(axis=1)
        high, low = grid[place], np.where(place > 0, grid[place - 1], 0.0)
        while np.any(high - low > 1):
            middle = np.ceil((low + high) / 2)
            is_below = self.losses(rate, coefficient, middle[:, None])[:, 0] < self.target
            is_open = high - low > 1
            low, high = np.where(is_open & ~is_below, middle, low), np.where(is_open & is_below, middle, high)
        before, after = np.log(self.losses(rate, coefficient, np.stack([high - 1, high], axis=1)) / self.target).T
        missed = 100 + np.log(np.minimum(curve.min(axis=1), 1e100) / self.target)
        found: Floats = np.where(below.any(axis=1), np.log(high - 1 + before / (before - after)), missed)
        return found

    @cached_property
    def least(self) -> int:
        """Steps that no training can do without: half of those of `1/2 sum h / (1 + k B h) = target`."""
        h, count = spectrum()
        steps = 2
        while np.sum(0.5 * h * count / (1 + 2 * steps * self.batch_size * h)) > self.target:
            steps *= 2
        return steps // 2

    def fewest_steps(self, *, coefficient: bool) -> int:
        """The fewest steps to target over the wide box: two searches, the second near what the first has found."""
        spread = math.ceil(math.log(self.most / self.least) / math.log(RATIO))
        coarse = np.unique(np.round(np.geomspace(self.least, self.most, spread)))
        fine = np.arange(self.least, self.most + 1.0) if self.most <= EVERY else coarse
        bounds: Sequence[tuple[float, float]] = WIDE if coefficient else WIDE[:1]
        place, _ = self._search(coarse, bounds)
        _, least = self._search(fine, [(each - 0.5, each + 0.5) for each in place])
        return math.ceil(math.exp(least))

    def _search(self, grid: Floats, bounds: Sequence[tuple[float, float]]) -> tuple[list[float], float]:
        """The best point within bounds, and the logarithm of its crossing."""

        def crossings(points: Floats) -> Any:  # one number for each column; SciPy's types know no populations
            return self.crossings(points.T, grid)

        low, high = zip(*bounds, strict=True)
        found = differential_evolution(
            crossings, Bounds(low, high), popsize=20, maxiter=40, rng=0, tol=1e-9,
            vectorized=True, updating="deferred", polish=False,
        )  # fmt: skip
        return [float(each) for each in found.x], float(found.fun)


def _parts(first: Complex, second: Complex, zeroth: Floats, following: Floats) -> tuple[Complex, Complex]:
    """The factors of `first^k` and `second^k` in a recurrence with these values at `k` = 0 and 1."""
    return (following - second * zeroth) / (first - second), (first * zeroth - following) / (first - second)

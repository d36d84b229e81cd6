"""The noisy quadratic model that best explains measured steps to target: noise scale, spectrum's exponent and start.

Least squares in log2 steps, with a chart for each exponent (`chart`). The chart has an error of a few per cent. The
error is computed at the solution with `optimal` and subtracted, and the scales are solved for again.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import least_squares, minimize_scalar

from tuner.analysis.nqm.chart import DIFFICULTIES, RESTLESSNESS, Chart, chart, chart_position
from tuner.analysis.nqm.crossing import Never
from tuner.analysis.nqm.model import Floats, NoisyQuadratic, power_law
from tuner.analysis.nqm.optimum import Box, Optimum, optimal
from tuner.analysis.nqm.rule import Rule

Apply = Callable[[Callable[[int], Optimum], Iterable[int]], Iterable[Optimum]]
"""`map`, or a function like it that spreads the calls over processes."""

TARGET = 0.01
"""The fitted model's target. Its start makes up for the different scale of measured losses or errors."""
_EXPONENTS = (0.5, 0.7, 0.9, 1.1, 1.4, 1.7, 2.0)
"""Exponents that are tried first. The best exponent is then refined between its neighbours."""
_EXPONENT_TOLERANCE = 0.01
_PULL = 0.02
"""Weight of a penalty on the distance from the authors' model. It decides only what the measured steps leave open."""
_EXACT = 4
"""Batch sizes at which the chart's error is computed."""
_BEYOND = 4
"""Octaves that charts reach beyond the largest measured steps."""


@dataclass(frozen=True, slots=True)
class FittedPowerLaw:
    """The model with the best fit.

    Attributes:
        noise_scale, exponent, start: As in `power_law`. All other values are those of the authors' model.
        optima: The model's exact optimum at each batch size.
        residual: Root mean square of log2 of the model's steps over the measured steps; infinite if the model does not
            reach its target at a batch size.
    """

    noise_scale: float
    exponent: float
    start: float
    optima: tuple[Optimum, ...]
    residual: float

    @property
    def model(self) -> NoisyQuadratic:
        """The loss and its noise."""
        return power_law(exponent=self.exponent, noise_scale=self.noise_scale, start=self.start)


def fit_power_law(
    batch_sizes: Sequence[int],
    steps: Sequence[float],
    rule: Rule,
    *,
    coefficient: tuple[float, float] = (0.0, 0.0),
    apply: Apply = map,
) -> FittedPowerLaw:
    """The model of the authors' kind whose fewest steps to `TARGET` are closest to those measured.

    Args:
        batch_sizes: At least three, the number of fitted parameters.
        steps: Measured steps at each batch size.
        rule: How the model's parameters are updated.
        coefficient: The lowest and highest coefficient of the rule.
        apply: Calls a function for each batch size.

    Raises:
        ValueError: There are too few batch sizes, or steps that are not finite and positive.
    """
    sizes, measured = np.array(batch_sizes, dtype=float), np.array(steps, dtype=float)
    if sizes.size < 3 or sizes.shape != measured.shape:
        raise ValueError(f"a fit needs the steps of at least 3 batch sizes; {sizes.size} sizes, {measured.size} steps")
    if not np.all(np.isfinite(measured) & (measured > 0)):
        raise ValueError(f"steps = {list(steps)} must be positive numbers")
    fitting = _Fitting(np.log2(sizes), np.log2(measured), rule, coefficient)
    exponent = fitting.exponent()
    solved = fitting.solve(exponent, error=np.zeros_like(sizes))
    solved = fitting.solve(exponent, error=fitting.error(solved, batch_sizes, apply))
    optima = tuple(apply(partial(fitting.optimum, solved), batch_sizes))
    residual = float(np.sqrt(np.mean((_logs(optima) - fitting.measured) ** 2)))
    noise_scale, start = fitting.scales(solved)
    return FittedPowerLaw(noise_scale, exponent, start, optima, residual)


@dataclass(frozen=True, slots=True)
class _Solution:
    """A model, by where it is on its exponent's chart: `restlessness` is that at batch size 1."""

    exponent: float
    difficulty: float
    restlessness: float
    cost: float


@dataclass(frozen=True, slots=True)
class _Fitting:
    """The measured steps and their batch sizes, both in log2."""

    sizes: Floats
    measured: Floats
    rule: Rule
    coefficient: tuple[float, float]

    def exponent(self) -> float:
        """The spectrum's exponent that fits best."""

        def cost(exponent: float) -> float:
            return self.solve(exponent, error=np.zeros_like(self.sizes)).cost

        costs = [cost(each) for each in _EXPONENTS]
        best = int(np.argmin(costs))
        low, high = _EXPONENTS[max(best - 1, 0)], _EXPONENTS[min(best + 1, len(_EXPONENTS) - 1)]
        refined = minimize_scalar(
            cost, bounds=(low, high), method="bounded", options={"xatol": _EXPONENT_TOLERANCE, "maxiter": 6}
        )
        return float(refined.x) if refined.fun < costs[best] else _EXPONENTS[best]

    def solve(self, exponent: float, *, error: Floats) -> _Solution:
        """The scales that fit best, for a chart whose log2 steps are too low by `error`."""
        charted = self._chart(exponent)
        authors, _ = chart_position(power_law(), target=TARGET)

        def residuals(point: Floats) -> Floats:
            off = charted.log_steps(point[0], point[1] - self.sizes) + error - self.measured
            return np.append(off, [_PULL * (point[0] - authors), _PULL * math.log2(exponent)])

        middle = float(self.sizes.mean())
        low = [DIFFICULTIES[0], RESTLESSNESS[0]]
        high = [DIFFICULTIES[-1], RESTLESSNESS[-1] + self.sizes.max()]
        starts = [(each, middle + shift) for each in (4.0, 8.0, 12.0) for shift in (-9.0, -5.0, -1.0, 3.0)]
        solve = partial(least_squares, residuals, bounds=(low, high), diff_step=[1e-4, 1e-4])
        found = min((solve(np.clip(each, low, high)) for each in starts), key=lambda each: float(each.cost))
        return _Solution(exponent, float(found.x[0]), float(found.x[1]), float(found.cost))

    def log_steps(self, solution: _Solution) -> Floats:
        """Log2 of the model's steps as charted, `[batch size]`."""
        return self._chart(solution.exponent).log_steps(solution.difficulty, solution.restlessness - self.sizes)

    def error(self, solution: _Solution, batch_sizes: Sequence[int], apply: Apply) -> Floats:
        """Log2 of the exact steps minus log2 of the chart's, `[batch size]`: exact at some sizes, then interpolated."""
        at = np.unique(np.linspace(0, len(batch_sizes) - 1, _EXACT).round().astype(int))
        order = at[np.argsort(self.sizes[at])]
        exact = apply(partial(self.optimum, solution), [batch_sizes[each] for each in order])
        off = _logs(list(exact)) - self.log_steps(solution)[order]
        return np.asarray(np.interp(self.sizes, self.sizes[order], np.where(np.isfinite(off), off, 0.0)))

    def scales(self, solution: _Solution) -> tuple[float, float]:
        """The noise scale and the start."""
        difficulty, restlessness = chart_position(power_law(exponent=solution.exponent), target=TARGET)
        return 2 ** (solution.restlessness - restlessness), 2 ** (solution.difficulty - difficulty)

    def optimum(self, solution: _Solution, batch_size: int) -> Optimum:
        """The model's exact optimum."""
        noise_scale, start = self.scales(solution)
        model = power_law(exponent=solution.exponent, noise_scale=noise_scale, start=start)
        return optimal(model, self.rule, batch_size=batch_size, target=TARGET, box=Box(coefficient=self.coefficient))

    def _chart(self, exponent: float) -> Chart:
        least, most = self.coefficient
        octaves = math.ceil(self.measured.max()) + _BEYOND
        return chart(exponent, self.rule, least=least, most=most, octaves=octaves)


def _logs(optima: Sequence[Optimum]) -> Floats:
    """Log2 of steps, infinite where the target is never reached."""
    return np.array([math.inf if isinstance(each.steps, Never) else math.log2(each.steps) for each in optima])

"""The fewest steps to target over learning rate and coefficient: a scan of the whole box, then simplex searches.

Whole numbers of steps are constant almost everywhere. So the search minimises the first crossing of the target,
interpolated between steps, and rounds only its result up.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from tuner.analysis.nqm.crossing import FOREVER, Steps, first_below
from tuner.analysis.nqm.dynamics import dynamics, starting_moments
from tuner.analysis.nqm.model import Floats, NoisyQuadratic, check_batch_size, check_target
from tuner.analysis.nqm.rule import Method, Rule
from tuner.analysis.nqm.training import SGD, steps_to_target

_RATES, _MEMORIES = 40, 24
"""Learning rates and coefficients of the scan."""
_STARTS = 4
"""Points of the scan that are refined."""
_HOPELESS = 1e3
"""The objective where the target is never reached: above the logarithm of any number of steps."""
_SMOOTH = 5_000
"""Above this number of steps, a single step is negligible."""
_LEAST = 1e-300
"""Replaces a loss of 0, or a loss that rounding has made negative, so that it has a logarithm."""
_HALVINGS = 12
"""Bisections of the scan's steps to target on a log scale, which give them to 1 %."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best hyperparameters at a batch size.

    Attributes:
        batch_size: Examples a gradient is averaged over.
        steps: Steps to target, or why the target is never reached.
        parameters: `learning_rate`, and `momentum` or `averaging` where the rule has it.
    """

    batch_size: int
    steps: Steps
    parameters: dict[str, float]


class Box(NamedTuple):
    """The ranges of learning rate and coefficient that are searched, bounds included."""

    learning_rate: tuple[float, float] = (0.0, math.inf)
    coefficient: tuple[float, float] = (0.0, 1 - 1e-6)


def optimal(
    model: NoisyQuadratic,
    rule: Rule = SGD,
    *,
    batch_size: int,
    target: float,
    box: Box = Box(),  # noqa: B008 - an immutable value
) -> Optimum:
    """The constant hyperparameters that reach the target in the fewest steps. The result is deterministic.

    Args:
        model: The loss and its noise.
        rule: How parameters are updated.
        batch_size: Examples a gradient is averaged over.
        target: The loss to get below.
        box: Bounds of the search; by default all values that make sense.

    Raises:
        ValueError: A value is out of range, or the target is above the initial loss.

    >>> from tuner.analysis.nqm import power_law
    >>> optimal(power_law(), batch_size=64, target=0.01).steps
    95633
    """
    check_batch_size(batch_size)
    check_target(model, target)
    search = _Search(model, rule, batch_size, target, _within_sense(model, rule, box))
    promising = [search.refine(each, size=1.0, tolerance=1e-3) for each in search.scan()]
    best = search.refine(min(promising, key=search.crossing), size=0.1, tolerance=1e-7)
    best = search.descend(best, beside=promising)
    rate, memory = search.setting(best)
    name = rule.method.coefficient
    parameters = {"learning_rate": rate} if name is None else {"learning_rate": rate, name: memory}
    steps = steps_to_target(model, rule, batch_size=batch_size, learning_rate=rate, coefficient=memory, target=target)
    return Optimum(batch_size, steps, parameters)


def _within_sense(model: NoisyQuadratic, rule: Rule, box: Box) -> Box:
    """The box without learning rates that diverge at once. Raises `ValueError` if it is empty.

    A little instability may pay: an average can reach the target before its steepest direction has grown.
    """
    (low, high), (least, most) = box
    if not (0 <= low <= high and high > 0):
        raise ValueError(f"learning_rate = ({low:g}, {high:g}) must hold positive numbers, the lower one first")
    if not 0 <= least <= most < 1:
        raise ValueError(f"coefficient = ({least:g}, {most:g}) must lie in [0, 1), the lower one first")
    if rule.method is Method.SGD:
        least = most = 0.0
    limit = 1.5 * float(rule.largest_stable_rate(model, most))
    return Box((low, max(low, min(high, limit))), (least, most))


@dataclass(frozen=True, slots=True)
class _Search:
    """The search at one batch size, at points `(log lr, log(1 - coefficient))`, or `(log lr,)` without coefficient."""

    model: NoisyQuadratic
    rule: Rule
    batch_size: int
    target: float
    box: Box

    def setting(self, point: Floats) -> tuple[float, float]:
        """The learning rate and coefficient at a point."""
        (low, high), (least, most) = self.box
        rate = min(max(math.exp(point[0]), low), high)
        memory = min(max(-math.expm1(point[1]), least), most) if point.size > 1 else least
        return rate, memory

    def crossing(self, point: Floats) -> float:
        """The logarithm of the steps to target, interpolated between steps."""
        rate, memory = self.setting(point)
        run = dynamics(self.model, self.rule, batch_size=self.batch_size, learning_rate=rate, coefficient=memory)
        start = starting_moments(self.model, self.rule, memory)
        found = first_below(run, start, self.target)
        if found is None:
            return _HOPELESS + (math.log(max(float(run.settled_loss) / self.target, 1.0)) if run.stable else rate)
        before, after = np.maximum(run.loss(start, [found - 1, found]), _LEAST)
        return math.log(found - 1 + math.log(before / self.target) / math.log(before / after) + 1e-9)

    def refine(self, start: Floats, *, size: float, tolerance: float) -> Floats:
        """The best point near another."""
        return self._simplex(self.crossing, start, size, tolerance)

    def _simplex(self, objective: Callable[[Floats], float], start: Floats, size: float, tolerance: float) -> Floats:
        """A local minimum within the box, by a simplex of this size."""
        step = 0.15 * np.eye(start.size)
        if self.rule.method is Method.HEAVY_BALL:
            # Steps change slowest where learning rate and 1 - momentum change together.
            step[1] = 0.3
        (low, high), (least, most) = self.box
        bounds = [(math.log(max(low, 1e-300)), math.log(high)), (math.log1p(-most), math.log1p(-least))][: start.size]
        simplex = np.clip(start + size * np.vstack([np.zeros(start.size), step]), *np.transpose(bounds))
        start = np.clip(start, *np.transpose(bounds))
        return np.asarray(
            minimize(
                objective,
                start,
                method="Nelder-Mead",
                bounds=bounds,
                options={"initial_simplex": simplex, "xatol": tolerance, "fatol": tolerance, "maxiter": 120},
            ).x
        )

    def descend(self, point: Floats, *, beside: Sequence[Floats]) -> Floats:
        """Repeats a local search for a point with fewer steps, from this point and the others, while it succeeds.

        With heavy ball, `crossing` has a valley for every step at which the loss dips below the target. But the loss
        at a given step is smooth, so a search from one valley finds the next.
        """
        steps = self.first_below(point)
        while steps is not None and 1 < steps < _SMOOTH:

            def excess(point: Floats, step: int = steps - 1) -> float:
                return math.log(self.loss(point, step) / self.target)

            lower = min((self._simplex(excess, start, 0.3, 1e-6) for start in (point, *beside)), key=excess)
            if excess(lower) >= 0:
                break
            point, steps = lower, self.first_below(lower)
        return point

    def first_below(self, point: Floats) -> int | None:
        """The steps to target."""
        rate, memory = self.setting(point)
        run = dynamics(self.model, self.rule, batch_size=self.batch_size, learning_rate=rate, coefficient=memory)
        return first_below(run, starting_moments(self.model, self.rule, memory), self.target)

    def loss(self, point: Floats, step: int) -> float:
        """The expected loss after a step."""
        rate, memory = self.setting(point)
        run = dynamics(self.model, self.rule, batch_size=self.batch_size, learning_rate=rate, coefficient=memory)
        return max(float(run.loss(starting_moments(self.model, self.rule, memory), step)), _LEAST)

    def scan(self) -> list[Floats]:
        """The best points of a grid over the box that are not next to each other."""
        (low, high), (least, most) = self.box
        memories = -np.expm1(np.linspace(math.log1p(-least), math.log1p(-most), _MEMORIES if most > least else 1))
        least_rates, most_rates = self._sensible_rates(memories)
        rates = np.geomspace(np.clip(least_rates, low, high), np.clip(most_rates, low, high), _RATES, axis=1)
        values = np.stack([self._rough_crossing(*row) for row in zip(rates, memories, strict=True)])  # [memory, rate]
        places: list[tuple[int, int]] = []
        for flat in np.argsort(values, axis=None, kind="stable"):
            row, column = divmod(int(flat), _RATES)
            if all(max(abs(row - r), abs(column - c)) > 2 for r, c in places):
                places.append((row, column))
            if len(places) == _STARTS:
                break
        points = [np.array([math.log(rates[place]), math.log1p(-memories[place[0]])]) for place in places]
        return [point if self.rule.method is not Method.SGD else point[:1] for point in points]

    def _sensible_rates(self, memories: Floats) -> tuple[Floats, Floats]:
        """The lowest and highest learning rate that is scanned at each coefficient, `[memory]`.

        At a small learning rate the loss settles at `lr / (4 B) sum c h^-p`; with momentum, `lr / (1 - momentum)`
        takes the place of `lr`. The best learning rate is never far below the rate that settles at the target, or
        below the largest stable rate.
        """
        limit = self.rule.largest_stable_rate(self.model, memories) * (1 - 1e-9)
        model = self.model
        restless = float(np.sum(model.count * model.noise * model.curvature**-self.rule.power)) / (4 * self.batch_size)
        settles = np.minimum(self.target / restless, limit) if restless > 0 else limit
        return 1e-2 * settles * (1 - memories if self.rule.method is Method.HEAVY_BALL else 1.0), limit

    def _rough_crossing(self, rates: Floats, memory: float) -> Floats:
        """The approximate logarithm of the steps to target, as if the loss fell monotonically, `[rate]`."""
        run = dynamics(self.model, self.rule, batch_size=self.batch_size, learning_rate=rates, coefficient=memory)
        start = starting_moments(self.model, self.rule, memory)
        low, high = np.zeros_like(rates), np.full_like(rates, math.log2(FOREVER))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            is_below = run.loss(start, np.round(2**middle)) < self.target
            low, high = np.where(is_below, low, middle), np.where(is_below, middle, high)
        reachable = run.stable & (run.settled_loss < self.target)
        shortfall = np.maximum(np.where(run.stable, run.settled_loss / self.target, 1e9), 1.0)
        return np.where(reachable, high * math.log(2), _HOPELESS + np.log(shortfall))

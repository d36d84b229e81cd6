"""Synthetic landscapes whose optimum is known to be inside the box or not, and their search.

Four parameters on log scales of two to four decades. log2 steps grow with the distance from an optimum that may lie
outside, or with that from a ridge of the first two parameters as learning rate and momentum make it: as its square
nearby, and often linearly further away, as `1 / learning rate` does; more steeply on one side than the other.
Parameters may have no effect; beyond a cliff trials diverge; seeds add noise.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tests.tuner.synthetic import study, trial
from tuner.analysis.edges.probes import pending_probes
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.records import PointRun, Role, StudyRecord, TrialEnd, TrialRecord
from tuner.samplers import Sampler
from tuner.samplers.tpe import Tpe
from tuner.trial import Outcome, Value

Array = NDArray[np.float64]

NAMES = ("a", "b", "c", "d")
SPACE = SearchSpace({name: Range(1.0, 100.0, scale=Scale.LOG) for name in NAMES})
LEAST, BUDGET = 6.0, 12.0
"""log2 of the steps at the best place of a box, and of the budget."""
LANES, AHEAD, SLACK, PROBES = 8, 4, 2.0, 4
"""As the program searches: trials in training, suggestions made ahead, how early trials are cut, probes of a side."""


class Searchable(Protocol):
    """A workload in a box, with the truth about its edges."""

    @property
    def space(self) -> SearchSpace: ...

    @property
    def noise(self) -> float:
        """Standard deviation of log2 steps between seeds."""
        ...

    @property
    def gains(self) -> Mapping[tuple[str, str], float]:
        """log2 steps that widening a side by a decade would save, by parameter and side."""
        ...

    def log_steps(self, point: Mapping[str, Value]) -> float:
        """Expected log2 steps to target, `LEAST` at the best place of the box; NaN where trials diverge."""
        ...

    def shortfall(self, point: Mapping[str, Value], limit: float) -> float:
        """log2 of how far from the target a trial is after `2 ** limit` steps that were not enough."""
        ...


@dataclass(frozen=True)
class Landscape:
    """log2 steps over the unit box, and beyond it. Implements `Searchable`.

    Attributes:
        optimum, curvature: Of each parameter, [parameter].
        ridge: (sharpness, slope, offset) of a ridge that replaces the first parameter's own effect, or None.
        cliff: How far above the first parameter's optimum, or the ridge, trials diverge.
        noise: Standard deviation of log2 steps between seeds.
        decades: Of each parameter's range, [parameter].
        bend: How far from its optimum a parameter's effect becomes linear, [parameter].
        skew: How many times steeper its effect is above the optimum than below, [parameter].
        exponent: How fast the metric falls with steps: what a trial that was cut tells of how far it fell short.
    """

    optimum: tuple[float, ...]
    curvature: tuple[float, ...]
    ridge: tuple[float, float, float] | None
    cliff: float
    noise: float
    decades: tuple[int, ...] = (2, 2, 2, 2)
    bend: tuple[float, ...] = (math.inf,) * 4
    skew: tuple[float, ...] = (1.0,) * 4
    exponent: float = 0.5

    @classmethod
    def draw(cls, generator: np.random.Generator, *, noise: float) -> "Landscape":
        """A landscape at random, with a place in its box that does not diverge."""
        while not math.isfinite((drawn := cls._draw(generator, noise))._least):
            pass
        return drawn

    @classmethod
    def _draw(cls, generator: np.random.Generator, noise: float) -> "Landscape":
        inside, beyond = generator.uniform(0.02, 0.98, 4), generator.uniform(0, 0.5, 4)
        outside = np.where(generator.random(4) < 0.5, -beyond, 1 + beyond)
        curvature = np.exp(generator.uniform(math.log(0.5), math.log(40), 4))
        slope = generator.uniform(0.5, 1.5)
        corner = generator.uniform(-0.2, 0.2) + generator.integers(2) * (1 + slope)
        offset = generator.uniform(0.3, 1.3) if generator.random() < 0.8 else corner
        sharpness = math.exp(generator.uniform(math.log(8), math.log(60)))
        return cls(
            optimum=tuple(np.where(generator.random(4) < 0.25, outside, inside).tolist()),
            curvature=tuple(np.where(generator.random(4) < 0.25, 0.0, curvature).tolist()),
            ridge=(sharpness, slope, offset) if generator.random() < 0.5 else None,
            cliff=generator.uniform(-0.1, 0.4) if generator.random() < 0.5 else math.inf,
            noise=noise,
            decades=tuple(generator.integers(2, 5, 4).tolist()),
            bend=tuple(np.where(generator.random(4) < 0.5, np.inf, generator.uniform(0.1, 0.4, 4)).tolist()),
            skew=tuple(np.exp(generator.uniform(-math.log(2), math.log(2), 4)).tolist()),
            exponent=generator.uniform(0.3, 1.0),
        )

    @property
    def space(self) -> SearchSpace:
        return SearchSpace(
            {name: Range(1.0, 10.0**size, scale=Scale.LOG) for name, size in zip(NAMES, self.decades, strict=True)}
        )

    def effect(self, parameter: int, distance: Array, curvature: float) -> Array:
        """log2 steps more than at the optimum: `curvature distance^2`, and linear beyond the bend."""
        width = self.bend[parameter]
        square = distance**2
        if math.isfinite(width):
            square = 2 * width**2 * (np.sqrt(1 + square / width**2) - 1)
        return np.asarray(curvature * square * np.where(distance > 0, self.skew[parameter], 1.0))

    def own(self, parameter: int, position: Array) -> Array:
        """The part of log2 steps that one parameter makes alone."""
        return self.effect(parameter, position - self.optimum[parameter], self.curvature[parameter])

    def coupled(self, first: Array, second: Array) -> Array:
        """The part of log2 steps that the first two parameters make; infinite where trials diverge."""
        if self.ridge is None:
            beyond, steps = first - self.optimum[0], self.own(0, first)
        else:
            sharpness, slope, offset = self.ridge
            beyond = first + slope * second - offset
            steps = self.effect(0, beyond, sharpness)
        return np.where(beyond > self.cliff, np.inf, steps + self.own(1, second))

    def log_steps(self, point: Mapping[str, Value]) -> float:
        place = [np.array(limits.position(float(point[name]))) for name, limits in self.space.ranges()]
        steps = float(self.coupled(place[0], place[1])) + sum(float(self.own(each, place[each])) for each in (2, 3))
        return LEAST + steps - self._least if math.isfinite(steps) else math.nan

    def shortfall(self, point: Mapping[str, Value], limit: float) -> float:
        needed = self.log_steps(point)
        return 4.9 if math.isnan(needed) else min(self.exponent * (needed - limit), 4.5)

    @cached_property
    def gains(self) -> Mapping[tuple[str, str], float]:
        axes = [np.linspace(-1 / size, 1 + 1 / size, 401) for size in self.decades]
        inside = [(axis > -1e-9) & (axis < 1 + 1e-9) for axis in axes]
        wider = [{"low": axis < 1 + 1e-9, "high": axis > -1e-9} for axis in axes]
        coupled = self.coupled(axes[0][:, None], axes[1][None, :])
        least = coupled[np.ix_(inside[0], inside[1])].min()
        gains = {("a", side): least - coupled[np.ix_(seen, inside[1])].min() for side, seen in wider[0].items()}
        gains |= {("b", side): least - coupled[np.ix_(inside[0], seen)].min() for side, seen in wider[1].items()}
        for parameter in (2, 3):
            own = self.own(parameter, axes[parameter])
            for side, seen in wider[parameter].items():
                gains[NAMES[parameter], side] = own[inside[parameter]].min() - own[seen].min()
        return {side: max(float(gain), 0.0) for side, gain in gains.items()}

    @cached_property
    def _least(self) -> float:
        axis = np.linspace(0, 1, 201)
        coupled = float(self.coupled(axis[:, None], axis[None, :]).min())
        return coupled + sum(float(self.own(each, axis).min()) for each in (2, 3))


def search(
    workload: Searchable,
    *,
    seed: int,
    points: int = 50,
    sampler: Sampler = Tpe(),  # noqa: B008 - an immutable value
) -> StudyRecord:
    """A study of a workload, searched as the program does: lanes, suggestions made ahead, and capping."""
    suggestions = sampler.start(workload.space, seed=seed)
    generator = np.random.default_rng(seed)
    ready: deque[tuple[int, Mapping[str, Value]]] = deque(
        (n, suggestions.ask(n)) for n in range(min(LANES + AHEAD, points))
    )
    asked = len(ready)
    running: dict[int, _Running] = {}
    trials: list[TrialRecord] = []
    now, cap = 0.0, BUDGET
    while ready or running:
        while ready and len(running) < LANES:
            number, point = ready.popleft()
            expected = workload.log_steps(point)
            running[number] = _Running(point, now, expected + workload.noise * generator.standard_normal())
        number = min(running, key=lambda each: (running[each].finish(cap), each))
        ended = running.pop(number)
        now = max(now, ended.finish(cap))
        end = ended.end(workload, cap)
        if end.outcome is Outcome.ACHIEVED:
            cap = min(cap, end.loss + math.log2(SLACK))
        suggestions.tell(number, end.loss)
        trials.append(trial(number, end, run=PointRun(number, 0, Role.SEARCH, ended.point)))
        if asked < points:
            ready.append((asked, suggestions.ask(asked)))
            asked += 1
    return study(*sorted(trials, key=lambda each: each.number), space=workload.space)


def probe(workload: Searchable, searched: StudyRecord, *, seed: int, per_side: int = PROBES) -> StudyRecord:
    """The study after its probes, capped as the program caps them."""
    generator = np.random.default_rng((seed, len(searched.trials)))
    cap = min(math.log2((searched.incumbent or math.inf) * SLACK), BUDGET)
    probes: list[TrialRecord] = []
    for run in pending_probes(searched, per_side=per_side):
        expected = workload.log_steps(run.hyperparameters) + workload.noise * generator.standard_normal()
        end = _Running(run.hyperparameters, 0.0, expected).end(workload, cap)
        probes.append(trial(len(searched.trials) + len(probes), end, run=run))
    return replace(searched, trials=(*searched.trials, *probes))


@dataclass(frozen=True)
class _Running:
    """A trial in training: where, since when, and the log2 steps it would take; NaN if it diverges."""

    point: Mapping[str, Value]
    started: float
    log_steps: float

    def finish(self, cap: float) -> float:
        """When it ends, in steps."""
        return self.started + (24.0 if math.isnan(self.log_steps) else 2 ** min(self.log_steps, cap))

    def end(self, workload: Searchable, cap: float) -> TrialEnd:
        """How it ends under a cap."""
        limit = round(2**cap)
        if math.isnan(self.log_steps):
            return TrialEnd(Outcome.INFEASIBLE, 24, limit, 24, cap + workload.shortfall(self.point, cap) + 1, {})
        if self.log_steps > cap:
            return TrialEnd(Outcome.CENSORED, limit, limit, limit, cap + workload.shortfall(self.point, cap), {})
        steps = max(round(2**self.log_steps), 1)
        return TrialEnd(Outcome.ACHIEVED, steps, limit, steps, math.log2(steps), {})

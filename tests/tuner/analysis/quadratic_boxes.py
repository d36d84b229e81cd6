"""The noisy quadratic model under heavy ball, in boxes that may exclude its optimum: the truth is computed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tests.tuner.analysis.landscapes import LEAST
from tuner.analysis.nqm import Box, Method, Never, Rule, optimal, power_law
from tuner.analysis.nqm.crossing import first_below
from tuner.analysis.nqm.dynamics import dynamics, starting_moments
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.trial import Value

MODEL, RULE, TARGET = power_law(bins=100), Rule(Method.HEAVY_BALL), 0.01
BATCH_SIZES = (16, 256, 4096, 65536)


@dataclass(frozen=True)
class QuadraticBox:
    """The model at one batch size. Implements `Searchable`; steps are counted from those at the box's optimum.

    Attributes:
        learning_rate, momentum: Least and most of each.
        noise: Standard deviation of log2 steps between seeds, on top of the exact answer.
        known: The gains, if they have been computed.
    """

    batch_size: int
    learning_rate: tuple[float, float]
    momentum: tuple[float, float]
    noise: float
    known: Mapping[tuple[str, str], float] | None = None

    @classmethod
    def draw(cls, generator: np.random.Generator, *, noise: float) -> "QuadraticBox":
        """A box whose ends are up to a decade short of the optimum, with a place that reaches the target."""
        while math.isinf((drawn := cls._draw(generator, noise)).least):
            pass
        return drawn

    @classmethod
    def _draw(cls, generator: np.random.Generator, noise: float) -> "QuadraticBox":
        batch_size = int(generator.choice(BATCH_SIZES))
        best = _ANYWHERE[batch_size]
        rates, memories = generator.uniform(2, 4), generator.uniform(1, 3)  # decades
        rate = math.log10(best["learning_rate"]) - rates * _place(generator, rates)
        memory = math.log10(1 - best["momentum"]) - memories * _place(generator, memories)
        most, least = max(1 - 10**memory, 0.5), 1 - 10 ** min(memory + memories, 0.0)
        return cls(batch_size, (10**rate, 10 ** (rate + rates)), (min(least, 0.45), most), noise)

    @property
    def space(self) -> SearchSpace:
        ranges = {"learning_rate": Range(*self.learning_rate, scale=Scale.LOG)}
        return SearchSpace(ranges | {"momentum": Range(*self.momentum, scale=Scale.REVERSE_LOG)})

    @cached_property
    def least(self) -> float:
        """log2 of the fewest steps in the box."""
        found = optimal(
            MODEL, RULE, batch_size=self.batch_size, target=TARGET, box=Box(self.learning_rate, self.momentum)
        )
        return math.inf if isinstance(found.steps, Never) else math.log2(found.steps)

    def with_noise(self, noise: float, gains: Mapping[tuple[str, str], float]) -> "QuadraticBox":
        """The same box under another noise, which changes no gain."""
        return replace(self, noise=noise, known=gains)

    @cached_property
    def gains(self) -> Mapping[tuple[str, str], float]:
        if self.known is not None:
            return self.known
        (low, high), (least, most) = self.learning_rate, self.momentum
        wider = {
            ("learning_rate", "low"): replace(self, learning_rate=(low / 10, high)),
            ("learning_rate", "high"): replace(self, learning_rate=(low, high * 10)),
            ("momentum", "high"): replace(self, momentum=(least, 1 - (1 - most) / 10)),
        }
        if least > 0:
            wider["momentum", "low"] = replace(self, momentum=(max(1 - (1 - least) * 10, 0.0), most))
        return {side: max(self.least - each.least, 0.0) for side, each in wider.items()}

    def log_steps(self, point: Mapping[str, Value]) -> float:
        rate, memory = float(point["learning_rate"]), float(point["momentum"])
        run = dynamics(MODEL, RULE, batch_size=self.batch_size, learning_rate=rate, coefficient=memory)
        found = first_below(run, starting_moments(MODEL, RULE, memory), TARGET)
        if found is None:
            return math.inf if bool(run.stable) else math.nan
        return LEAST + math.log2(found) - self.least

    def shortfall(self, point: Mapping[str, Value], limit: float) -> float:
        rate, memory = float(point["learning_rate"]), float(point["momentum"])
        run = dynamics(MODEL, RULE, batch_size=self.batch_size, learning_rate=rate, coefficient=memory)
        steps = np.round(np.geomspace(1, 2 ** (limit - LEAST + self.least), 100))
        losses = run.loss(starting_moments(MODEL, RULE, memory), steps)
        return math.log2(max(float(np.nanmin(losses)) / TARGET, 1.0))


def _place(generator: np.random.Generator, decades: float) -> float:
    """Where in a range of so many decades the optimum lies: in one of three, up to a decade outside."""
    inside, beyond = generator.uniform(0.02, 0.98), generator.uniform(0, 1.0) / decades
    return float(generator.choice([inside, inside, inside, inside, -beyond, 1 + beyond]))


_ANYWHERE = {
    each: optimal(MODEL, RULE, batch_size=each, target=TARGET, box=Box((1e-5, 10), (0, 0.9999))).parameters
    for each in BATCH_SIZES
}
"""The optimum at each batch size, with no box to speak of."""

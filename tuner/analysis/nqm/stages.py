"""Stages of training: at a constant rate, with a closed form for any step, or at a rate that changes every step."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from tuner.analysis.nqm.crossing import FOREVER, first_below
from tuner.analysis.nqm.dynamics import Dynamics, Moments, dynamics, starting_moments
from tuner.analysis.nqm.model import Floats, NoisyQuadratic
from tuner.analysis.nqm.rule import Method, Rule
from tuner.analysis.nqm.schedule import LinearDecay, PiecewiseConstant, Schedule


class Stage(Protocol):
    """A stage of training. Its steps are counted from its own start."""

    @property
    def length(self) -> int:
        """Its steps; `FOREVER` if it is the last."""
        ...

    @property
    def end(self) -> Moments:
        """The moments after its last step."""
        ...

    def loss(self, steps: ArrayLike) -> Floats:
        """The expected loss after each of `steps`, none beyond its length."""
        ...

    def first_below(self, target: float) -> int | None:
        """The first step with a loss strictly below the target."""
        ...


@dataclass(frozen=True, slots=True)
class ConstantStage:
    """Training at constant hyperparameters."""

    dynamics: Dynamics
    start: Moments
    length: int = FOREVER

    def loss(self, steps: ArrayLike) -> Floats:
        return self.dynamics.loss(self.start, steps)

    def first_below(self, target: float) -> int | None:
        return first_below(self.dynamics, self.start, target, end=self.length)

    @property
    def end(self) -> Moments:
        """The moments after its last step."""
        return self.dynamics.moments(self.start, self.length)


@dataclass(frozen=True)
class RampStage:
    """Training with its own learning rate at each step, by the recursion, in chunks that are computed in parallel.

    The moments after a chunk are an affine function of the moments before it. So all chunks first run from a basis.
    Their functions give the moments before each chunk, from which all chunks run again.

    Attributes:
        rates: Learning rate of each step, `[step]`.
        start: Moments before the first.
    """

    model: NoisyQuadratic
    rule: Rule
    batch_size: float
    coefficient: float
    rates: Floats
    start: Moments = field(repr=False)

    @property
    def length(self) -> int:
        return len(self.rates)

    def loss(self, steps: ArrayLike) -> Floats:
        return np.asarray(self._run[0][np.asarray(steps, dtype=int)])

    def first_below(self, target: float) -> int | None:
        below = np.flatnonzero(self._run[0][1:] < target)
        return int(below[0]) + 1 if below.size else None

    @property
    def end(self) -> Moments:
        """The moments after its last step."""
        return self._run[1]

    @cached_property
    def _run(self) -> tuple[Floats, Moments]:
        """The loss before the first and after each step, `[step + 1]`, and the last moments."""
        width = math.isqrt(self.length - 1) + 1
        padded = np.append(self.rates, np.zeros(-self.length % width)).reshape(-1, width)  # [chunk, step of chunk]
        starts = self._chunk_starts(padded)
        losses = np.empty(padded.shape)
        moments = starts
        for step in range(width):
            moments = self._step(moments, padded[:, step])
            losses[:, step] = self._loss(moments)
            if step == (self.length - 1) % width:
                end = Moments(*(each[-1] for each in moments))
        return np.concatenate([self._loss(self.start)[None], losses.ravel()[: self.length]]), end

    def _chunk_starts(self, rates: Floats) -> Moments:
        """The moments before each chunk, `[chunk, mode]`."""
        chunks, modes = len(rates), len(self.model.count)
        unit, zero = np.ones((chunks, modes)), np.zeros((chunks, modes))
        basis = [
            Moments(zero, zero, zero),
            Moments(unit, zero, zero),
            Moments(zero, unit, zero),
            Moments(zero, zero, unit),
        ]
        stacked = Moments(*(np.stack(each) for each in zip(*basis, strict=True)))  # [basis, chunk, mode]
        for step in range(rates.shape[1]):
            stacked = self._step(stacked, rates[:, step])
        starts = [self.start]
        for chunk in range(chunks - 1):
            offset, *images = (Moments(*(each[index, chunk] for each in stacked)) for index in range(4))
            moved = offset
            for amount, image in zip(starts[-1], images, strict=True):
                moved = moved.plus(Moments(*(amount * each for each in image.minus(offset))))
            starts.append(moved)
        return Moments(*(np.stack(each) for each in zip(*starts, strict=True)))

    def _step(self, moments: Moments, rate: Floats) -> Moments:
        """The moments one step on, each chunk at its rate."""
        decay = rate[:, None] * self.model.curvature ** (1 - self.rule.power)
        noise = (rate[:, None] * self.model.curvature**-self.rule.power) ** 2 * self.model.noise / self.batch_size
        memory = np.asarray(self.coefficient)
        if self.rule.method is Method.AVERAGE:
            moved = moments.through((1 - decay, np.zeros(())), (1 - decay, memory))
        else:
            moved = moments.through((1 - decay, memory), (-decay, memory))
        return Moments(*(each + noise for each in moved))

    def _loss(self, moments: Moments) -> Floats:
        """The expected loss at these moments."""
        if self.rule.method is Method.AVERAGE:
            return np.asarray(moments.other @ self.model.weight * (1 - self.coefficient) ** 2)
        return np.asarray(moments.position @ self.model.weight)


def stages(
    model: NoisyQuadratic, rule: Rule, *, batch_size: float, learning_rate: float | Schedule, coefficient: float
) -> list[Stage]:
    """The stages of training, first to last. Only the last stage has no end.

    Raises:
        ValueError: A learning rate, coefficient or batch size makes no sense.
    """
    start = starting_moments(model, rule, coefficient)
    found: list[Stage] = []
    match learning_rate:
        case PiecewiseConstant(rates, lengths):
            pieces = list(zip(rates, (*lengths, FOREVER), strict=True))
        case LinearDecay(rate, end_factor, _):
            pieces = [(rate * end_factor, FOREVER)]
            found.append(RampStage(model, rule, batch_size, coefficient, learning_rate.rates(), start))
            start = found[-1].end
        case _:
            pieces = [(learning_rate, FOREVER)]
    for rate, length in pieces:
        constant = dynamics(model, rule, batch_size=batch_size, learning_rate=rate, coefficient=coefficient)
        found.append(ConstantStage(constant, start, length))
        start = found[-1].end if length < FOREVER else start
    return found

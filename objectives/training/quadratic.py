"""Trains the noisy quadratic model: jumps from one measurement to the next, in expectation or with sampled noise."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from objectives.training.measuring.grid import next_measurement
from tuner.analysis.nqm import Method, NoisyQuadratic, Rule
from tuner.analysis.nqm.dynamics import Dynamics, dynamics, starting_moments
from tuner.analysis.nqm.training import capped
from tuner.trial import Measurement, TrialSpec

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_CHUNK = 32
"""Measurements of each lane in a call of `advance`."""
_ROOM = 2**20
"""Numbers in one array, at most: with more, `advance` takes fewer measurements."""
_FAR = 1e100
"""Bound of the positions of a diverging trial, so that squares do not overflow."""


@dataclass(slots=True)
class Walker:
    """A trial in training.

    Attributes:
        seed: The seed of its noise.
        learning_rate: Constant during training.
        coefficient: Momentum or averaging coefficient, 0 for plain SGD.
        step: Steps done.
        pair: Its position and velocity or average, `[2, direction]`; empty where only expectations are followed.
    """

    seed: int
    learning_rate: float
    coefficient: float
    step: int
    pair: Floats


class Walk(Protocol):
    """How trials get from one measurement to the next."""

    @property
    def size(self) -> int:
        """Numbers that one trial needs for one step."""
        ...

    def origin(self, coefficient: float) -> Floats:
        """A new trial's pair."""
        ...

    def train(self, walkers: Sequence[Walker], steps: Counts) -> Floats:
        """Train each trial to each of `steps`, `[chunk, lane]`: losses before and after them, `[2, chunk, lane]`."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectedWalk:
    """Training in expectation. It needs no state, since the loss at any step has a closed form."""

    model: NoisyQuadratic
    rule: Rule
    batch_size: int

    @property
    def size(self) -> int:
        return len(self.model.count)

    def origin(self, coefficient: float) -> Floats:  # noqa: ARG002 - there is nothing to keep
        return np.empty((2, 0))

    def train(self, walkers: Sequence[Walker], steps: Counts) -> Floats:
        memories = np.array([each.coefficient for each in walkers])
        run = _dynamics(self.model, self.rule, self.batch_size, walkers)
        return run.loss(starting_moments(self.model, self.rule, memories), np.stack([steps - 1, steps]))


@dataclass(frozen=True, slots=True)
class SampledWalk:
    """Training with sampled noise, which is Gaussian over any number of steps. It starts at the root of `start`."""

    model: NoisyQuadratic
    rule: Rule
    batch_size: int

    @property
    def size(self) -> int:
        return int(self.model.count.sum())

    def origin(self, coefficient: float) -> Floats:
        position = np.sqrt(self.model.directions().start)
        averaged = self.rule.method is Method.AVERAGE
        return np.stack([position, position / (1 - coefficient) if averaged else np.zeros_like(position)])

    def train(self, walkers: Sequence[Walker], steps: Counts) -> Floats:
        run = _dynamics(self.model.directions(), self.rule, self.batch_size, walkers)
        losses = np.empty((2, *steps.shape))
        for row, due in enumerate(steps):
            for when, target in enumerate((due - 1, due)):
                self._jump(run, walkers, target)
                pairs = np.stack([each.pair for each in walkers])  # [lane, 2, direction]
                losses[when, row] = np.sum(run.weight * pairs[:, int(run.averaged)] ** 2, axis=-1)
        return losses

    def _jump(self, run: Dynamics, walkers: Sequence[Walker], steps: Counts) -> None:
        """Advance all trials to their steps: the mean by a matrix power, the noise by its covariance."""
        ahead = steps - [each.step for each in walkers]
        normals = np.stack([_normals(each, step) for each, step in zip(walkers, steps, strict=True)], axis=1)
        before = np.stack([each.pair for each in walkers], axis=1)  # [2, lane, direction]
        growth, cosine, sine = run.roots.waves(ahead)
        g00, g01, g10, g11 = run.roots.generator
        (xx, yy, xy), size = run.accumulated(ahead), np.sqrt(growth)
        spread = np.sqrt(np.maximum(xx, 0.0))
        tied = np.divide(xy, spread, where=spread > 0, out=np.zeros_like(spread))
        free = np.sqrt(np.maximum(yy - tied**2, 0.0))
        # The matrix power is known up to its sign, which changes neither losses nor the distribution of the noise.
        position = size * ((cosine + sine * g00) * before[0] + sine * g01 * before[1]) + spread * normals[0]
        other = (
            size * (sine * g10 * before[0] + (cosine + sine * g11) * before[1]) + tied * normals[0] + free * normals[1]
        )
        for lane, (walker, step) in enumerate(zip(walkers, steps, strict=True)):
            walker.pair = np.clip(np.stack([position[lane], other[lane]]), -_FAR, _FAR)
            walker.step = int(step)


class QuadraticTrainer:
    """Implements `tuner.objective.Trainer`: measures every loaded lane at the steps of the grid.

    Args:
        walk: Computes the next measurements of trials.
        lanes: The number of trials that are trained at once.
    """

    def __init__(self, walk: Walk, *, lanes: int) -> None:
        self._walk, self._lanes = walk, lanes
        self._walkers: dict[int, Walker] = {}

    @property
    def lanes(self) -> int:
        return self._lanes

    @property
    def device(self) -> str:
        return "cpu"

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """Start a trial in a free lane, or go on from what `save` returned.

        Raises:
            ValueError: The lane holds a trial, or a hyperparameter is out of range.
        """
        if lane in self._walkers:
            raise ValueError(f"lane {lane} holds a trial; unload it first")
        values = {name: float(value) for name, value in trial.hyperparameters.items()}
        rate = values.pop("learning_rate")
        memory = next(iter(values.values()), 0.0)
        walker = Walker(trial.seed, rate, memory, step=0, pair=self._walk.origin(memory))
        if checkpoint is not None:
            with np.load(io.BytesIO(checkpoint)) as saved:
                walker.step, walker.pair = int(saved["step"]), saved["pair"]
        self._walkers[lane] = walker

    def save(self, lane: int) -> bytes:
        """The state of the trial in a lane. After `load` of this state, results are identical."""
        file = io.BytesIO()
        np.savez(file, step=self._walkers[lane].step, pair=self._walkers[lane].pair)
        return file.getvalue()

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        """Train every loaded lane for a number of measurements, oldest first."""
        if not self._walkers:
            return {}
        walkers = list(self._walkers.values())
        chunk = max(1, min(_CHUNK, _ROOM // (len(walkers) * self._walk.size)))
        steps = np.empty((chunk, len(walkers)), dtype=np.int64)
        due = [each.step for each in walkers]
        for row in range(chunk):
            steps[row] = due = [next_measurement(step) for step in due]
        losses = capped(self._walk.train(walkers, steps))
        for walker, step in zip(walkers, due, strict=True):
            walker.step = step
        return {
            lane: [
                Measurement(int(step), {"train/loss": float(before), "validation/loss": float(after)})
                for step, before, after in zip(steps[:, column], *losses[:, :, column], strict=True)
            ]
            for column, lane in enumerate(self._walkers)
        }

    def unload(self, lane: int) -> None:
        """Free a lane."""
        del self._walkers[lane]

    def close(self) -> None:
        """Let go of the trials."""
        self._walkers.clear()


def _dynamics(model: NoisyQuadratic, rule: Rule, batch_size: int, walkers: Sequence[Walker]) -> Dynamics:
    """The dynamics of every trial, `[lane]`."""
    rates = [each.learning_rate for each in walkers]
    memories = [each.coefficient for each in walkers]
    return dynamics(model, rule, batch_size=batch_size, learning_rate=rates, coefficient=memories)


def _normals(walker: Walker, step: np.int64) -> Floats:
    """Standard normal noise that depends on the trial's seed and the step only, `[2, direction]`."""
    return np.random.default_rng([walker.seed, int(step)]).standard_normal(walker.pair.shape)

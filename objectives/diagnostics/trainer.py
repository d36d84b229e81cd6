"""A trainer that also measures the training loss around the parameters: at a few steps, and where a trial ends."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from objectives.diagnostics.diagnosis import Diagnosis
from objectives.diagnostics.distance import distance
from objectives.training.devices.memory import memory_watched
from objectives.training.measuring.grid import next_measurement
from tuner.objective import GivesWeights, Trainer, measure_end
from tuner.objective.diagnostics import Diagnostic
from tuner.trial import Failure, Measurement, TrialSpec, hash_seed

APART = 4
"""A trial is looked at first after so many steps, and then after as many times more each time."""

Weights = Mapping[str, Tensor]


class TrainsAndGives(Trainer, GivesWeights, Protocol):
    """A trainer from which weights can be taken at every step that it has just measured."""


class DiagnosingTrainer:
    """Implements `tuner.objective.Trainer` and `MeasuresEnds` by an inner trainer.

    What is measured depends on the trial and the step alone. So a trial that goes on from a checkpoint of the inner
    trainer measures the same.

    Args:
        trainer: Trains and measures all else.
        diagnosis: What is measured besides.
        start: The parameters that a trial with this seed starts from, by name, on the host.
        trained: The names of those that are trained.
        batch_size: For messages.
    """

    def __init__(
        self,
        trainer: TrainsAndGives,
        diagnosis: Diagnosis,
        *,
        start: Callable[[int], Weights],
        trained: Sequence[str],
        batch_size: int,
    ) -> None:
        self._inner, self._diagnosis, self._start, self._trained = trainer, diagnosis, start, trained
        self._batch_size = batch_size
        self._trials: dict[int, TrialSpec] = {}
        self._starts: dict[int, Weights] = {}

    @property
    def lanes(self) -> int:
        return self._inner.lanes

    @property
    def device(self) -> str:
        return self._inner.device

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """As the inner trainer."""
        self._inner.load(lane, trial, checkpoint)
        self._trials[lane], self._starts[lane] = trial, self._start(trial.seed)

    def save(self, lane: int) -> bytes:
        return self._inner.save(lane)

    def advance(self) -> Mapping[int, Sequence[Measurement | Failure]]:
        """As the inner trainer, with the distance at each step that was measured, and all else at some.

        Raises:
            OutOfMemory: The device is full.
        """
        found = self._inner.advance()
        return {lane: [self._with(lane, each) for each in measured] for lane, measured in found.items()}

    def measure_end(self, lane: int, step: int) -> Mapping[str, float]:
        """What the inner trainer left out, and the diagnostics if they were not measured at this step before."""
        left_out = measure_end(self._inner, lane, step)
        return left_out if is_looked_at(step) else {**left_out, **self._diagnostics(lane, step)}

    def unload(self, lane: int) -> None:
        """Free a lane."""
        self._inner.unload(lane)
        del self._trials[lane], self._starts[lane]

    def close(self) -> None:
        """Release the device; the trainer cannot be used any more."""
        self._inner.close()

    def _with(self, lane: int, measured: Measurement | Failure) -> Measurement | Failure:
        if isinstance(measured, Failure):
            return measured
        weights = self._weights(lane, measured.step)
        found = {Diagnostic.DISTANCE.value: distance(weights, self._starts[lane], self._trained)}
        if is_looked_at(measured.step):
            found |= self._diagnostics(lane, measured.step)
        return replace(measured, metrics={**measured.metrics, **found})

    def _diagnostics(self, lane: int, step: int) -> Mapping[str, float]:
        seed = hash_seed("diagnosis", self._trials[lane].seed, step)
        with memory_watched(lanes=self.lanes, batch_size=self._batch_size, device=torch.device(self.device)):
            return self._diagnosis.of(self._weights(lane, step), seed=seed)

    def _weights(self, lane: int, step: int) -> Weights:
        """Parameters and running averages by name, on the host."""
        content = io.BytesIO(self._inner.weights(lane, step))
        found: Weights = torch.load(content, map_location="cpu", weights_only=True)
        return found


@lru_cache(maxsize=4096)
def is_looked_at(step: int) -> bool:
    """Whether a trial is looked at after a step that is measured: the first from 4, 16, 64, ... on.

    >>> [step for step in (1, 4, 5, 16, 17, 64, 65, 256, 257, 258, 259, 260, 261, 262) if is_looked_at(step)]
    [4, 16, 64, 257]
    """
    reached, wanted = 0, APART
    while reached < step:
        reached = next_measurement(reached)
        is_first = reached >= wanted
        while wanted <= reached:
            wanted *= APART
        if reached >= step:
            return is_first and reached == step
    return False

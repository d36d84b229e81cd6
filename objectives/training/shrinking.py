"""A trainer that goes on with fewer lanes as the last trials of a study end.

On a CPU an empty lane costs as much as a busy lane. A search keeps its lanes full, but at the end of a study a single
slow trial would train beside seven empty lanes.
"""

from collections.abc import Callable, Mapping, Sequence

from tuner.objective import GivesWeights, NamesDevice, TimesSteps, Trainer, measure_end
from tuner.trial import Failure, Measurement, TrialSpec


class ShrinkingTrainer:
    """Implements `tuner.objective.Trainer` by an inner trainer, which is replaced when half of its lanes are empty.

    Args:
        trainer: The first inner trainer. Its number of lanes is the number that this trainer shows.
        make: Makes an inner trainer with this many lanes. Trials move to it by `save` and `load`.
    """

    def __init__(self, trainer: Trainer, make: Callable[[int], Trainer]) -> None:
        self._inner, self._make, self._lanes = trainer, make, trainer.lanes
        self._trials: dict[int, TrialSpec] = {}
        self._inner_lanes: dict[int, int] = {}
        """The inner trainer's lane for each of this trainer's lanes."""

    @property
    def lanes(self) -> int:
        return self._lanes

    @property
    def device(self) -> str:
        return self._inner.device

    @property
    def device_name(self) -> str:
        return self._inner.device_name if isinstance(self._inner, NamesDevice) else self._inner.device

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """Start a trial in a free lane.

        Raises:
            ValueError: The lane holds a trial.
        """
        if lane in self._inner_lanes:
            raise ValueError(f"lane {lane} holds a trial; unload it first")
        if len(self._inner_lanes) == self._inner.lanes:
            self._move(self._lanes)
        inner_lane = min(set(range(self._inner.lanes)) - set(self._inner_lanes.values()))
        self._inner.load(inner_lane, trial, checkpoint)
        self._inner_lanes[lane], self._trials[lane] = inner_lane, trial

    def save(self, lane: int) -> bytes:
        return self._inner.save(self._inner_lanes[lane])

    def advance(self) -> Mapping[int, Sequence[Measurement | Failure]]:
        """Train every loaded lane. Returns each lane's measurements, oldest first. May raise `OutOfMemory`."""
        enough = self._inner.lanes
        while enough > 1 and enough // 2 >= len(self._inner_lanes):
            enough //= 2
        if enough < self._inner.lanes:
            self._move(enough)
        measured = self._inner.advance()
        return {lane: measured[inner_lane] for lane, inner_lane in self._inner_lanes.items() if inner_lane in measured}

    def measure_end(self, lane: int, step: int) -> Mapping[str, float]:
        return measure_end(self._inner, self._inner_lanes[lane], step)

    def weights(self, lane: int, step: int) -> bytes:
        if not isinstance(self._inner, GivesWeights):
            raise NotImplementedError
        return self._inner.weights(self._inner_lanes[lane], step)

    def time_steps(self, steps: int) -> float:
        if not isinstance(self._inner, TimesSteps):
            raise NotImplementedError
        return self._inner.time_steps(steps)

    def unload(self, lane: int) -> None:
        """Free a lane."""
        self._inner.unload(self._inner_lanes.pop(lane))
        del self._trials[lane]

    def close(self) -> None:
        """Release the device; the trainer cannot be used any more."""
        self._inner_lanes.clear()
        self._inner.close()

    def _move(self, lanes: int) -> None:
        """Replace the inner trainer by an inner trainer with this many lanes, and move all trials to it."""
        outer, inner = self._inner, self._make(lanes)
        for inner_lane, lane in enumerate(self._inner_lanes):
            inner.load(inner_lane, self._trials[lane], outer.save(self._inner_lanes[lane]))
            self._inner_lanes[lane] = inner_lane
        self._inner = inner
        outer.close()

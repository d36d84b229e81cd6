"""A trainer made of trainers: as the last trials of a study run out, it trains on in one with fewer lanes.

On a CPU an idle lane costs as much as a busy one. A search keeps its lanes full, but at the end of a study one slow
trial would train beside seven empty lanes.
"""

from collections.abc import Callable, Mapping, Sequence

from tuner.objective import Trainer
from tuner.trial import Measurement, TrialSpec


class ShrinkingTrainer:
    """Implements `tuner.objective.Trainer` by another one, replaced whenever half of its lanes are empty.

    Args:
        trainer: The one to begin with; this one seems to have as many lanes.
        make: Makes one with so many lanes. Trials move between them by `save` and `load`.
    """

    def __init__(self, trainer: Trainer, make: Callable[[int], Trainer]) -> None:
        self._inner, self._make, self._lanes = trainer, make, trainer.lanes
        self._trials: dict[int, TrialSpec] = {}
        self._places: dict[int, int] = {}
        """The inner trainer's lane for each of ours."""

    @property
    def lanes(self) -> int:
        return self._lanes

    @property
    def device(self) -> str:
        return self._inner.device

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """Start a trial in a free lane.

        Raises:
            ValueError: The lane holds a trial.
        """
        if lane in self._places:
            raise ValueError(f"lane {lane} holds a trial; unload it first")
        if len(self._places) == self._inner.lanes:
            self._move(self._lanes)
        place = min(set(range(self._inner.lanes)) - set(self._places.values()))
        self._inner.load(place, trial, checkpoint)
        self._places[lane], self._trials[lane] = place, trial

    def save(self, lane: int) -> bytes:
        return self._inner.save(self._places[lane])

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        """Train every loaded lane; what each measured on the way, oldest first. May raise `OutOfMemory`."""
        enough = self._inner.lanes
        while enough > 1 and enough // 2 >= len(self._places):
            enough //= 2
        if enough < self._inner.lanes:
            self._move(enough)
        measured = self._inner.advance()
        return {lane: measured[place] for lane, place in self._places.items() if place in measured}

    def unload(self, lane: int) -> None:
        """Free a lane."""
        self._inner.unload(self._places.pop(lane))
        del self._trials[lane]

    def close(self) -> None:
        """Release the device; the trainer cannot be used any more."""
        self._places.clear()
        self._inner.close()

    def _move(self, lanes: int) -> None:
        """Go on in a trainer with so many lanes, every trial exactly where it stands."""
        outer, inner = self._inner, self._make(lanes)
        for place, lane in enumerate(self._places):
            inner.load(place, self._trials[lane], outer.save(self._places[lane]))
            self._places[lane] = place
        self._inner = inner
        outer.close()

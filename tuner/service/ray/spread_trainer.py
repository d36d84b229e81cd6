"""A trainer made of trainers: it spreads the lanes of a study over trainers elsewhere, which advance side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tuner.objective import Trainer
from tuner.trial import Failure, Measurement, TrialSpec

Measured = Mapping[int, Sequence[Measurement | Failure]]
"""What each lane measured, as `Trainer.advance` returns it."""


@dataclass(frozen=True, slots=True)
class Load:
    """Start a trial in a lane, as `Trainer.load` does."""

    lane: int
    trial: TrialSpec
    checkpoint: bytes | None


@dataclass(frozen=True, slots=True)
class Unload:
    """Free a lane, as `Trainer.unload` does."""

    lane: int


Change = Load | Unload


def apply(changes: Sequence[Change], trainer: Trainer) -> None:
    """Apply changes to the lanes of a trainer, in this order."""
    for each in changes:
        if isinstance(each, Load):
            trainer.load(each.lane, each.trial, each.checkpoint)
        else:
            trainer.unload(each.lane)


class Part(Protocol):
    """A trainer in another process. Changes of its lanes are sent along with the next request.

    All its methods raise what the trainer raises, and `TrainerLost` if its process is gone.
    """

    def advance(self, changes: Sequence[Change]) -> Callable[[], Measured]:
        """Begin a chunk of training. The function that is returned waits for the end of the chunk."""
        ...

    def save(self, changes: Sequence[Change], lane: int) -> bytes:
        """The state of the trial in a lane."""
        ...

    def measure_end(self, changes: Sequence[Change], lane: int, step: int) -> Mapping[str, float]:
        """What the measurement of a lane at `step` left out (`tuner.objective.measure_end`)."""
        ...

    def close(self) -> None:
        """Let it release its device. Must not fail if it is gone."""
        ...


class SpreadTrainer:
    """Implements `tuner.objective.Trainer` and `MeasuresEnds` by others.

    Results are joined in a fixed order, whoever is done first. Lane `n` is in part `n % parts`. So the last
    trials of a study, which fill the first lanes, are spread too.

    Args:
        parts: The trainers; part `i` has lanes for every one of ours that is dealt to it, see `dealt`.
        lanes: How many there are together, at least one a part.
        device: Where the parts train.
    """

    def __init__(self, parts: Sequence[Part], *, lanes: int, device: str) -> None:
        self.lanes, self.device = lanes, device
        self._parts = parts
        self._changes: list[list[Change]] = [[] for _ in parts]
        self._loaded: dict[int, tuple[int, int]] = {}
        """The part, and the lane in it, of each lane that holds a trial; in the order in which they were loaded."""

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """Start a trial in a free lane, when the lanes are next advanced.

        Raises:
            ValueError: The lane holds a trial.
        """
        if lane in self._loaded:
            raise ValueError(f"lane {lane} holds a trial; unload it first")
        part_lane, part = divmod(lane, len(self._parts))
        self._changes[part].append(Load(part_lane, trial, checkpoint))
        self._loaded[lane] = part, part_lane

    def save(self, lane: int) -> bytes:
        part, part_lane = self._loaded[lane]
        return self._parts[part].save(self._take_changes(part), part_lane)

    def measure_end(self, lane: int, step: int) -> Mapping[str, float]:
        part, part_lane = self._loaded[lane]
        return self._parts[part].measure_end(self._take_changes(part), part_lane, step)

    def advance(self) -> Measured:
        """Train every loaded lane for a chunk; what each measured on the way, oldest first.

        Raises:
            OutOfMemory: One of the devices is full.
            TrainerLost: One of the trainers is gone, and with it what its lanes had learnt.
        """
        busy = sorted({part for part, _ in self._loaded.values()})
        begun = {part: self._parts[part].advance(self._take_changes(part)) for part in busy}
        measured = {part: finish() for part, finish in begun.items()}
        return {
            lane: measured[part][part_lane]
            for lane, (part, part_lane) in self._loaded.items()
            if part_lane in measured[part]
        }

    def unload(self, lane: int) -> None:
        """Free a lane."""
        part, part_lane = self._loaded.pop(lane)
        self._changes[part].append(Unload(part_lane))

    def close(self) -> None:
        """Release the devices; the trainer cannot be used any more."""
        self._loaded.clear()
        for each in self._parts:
            each.close()

    def _take_changes(self, part: int) -> Sequence[Change]:
        changes, self._changes[part] = self._changes[part], []
        return changes


def dealt(lanes: int, parts: int) -> Sequence[int]:
    """How many lanes each part gets.

    >>> dealt(8, 3)
    [3, 3, 2]
    """
    return [len(range(part, lanes, parts)) for part in range(parts)]

"""How long a training step takes on a device, as it was measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median


@dataclass(frozen=True, slots=True)
class Timing:
    """The time of a step at one batch size on one device, of one trial that trains by itself.

    Attributes:
        device: What the device is called, for people; measurements on devices of the same name stand for one another.
        seconds: Seconds a step in each repetition; at least one.
        has_measuring: Whether they hold the time of measuring, because the training code cannot train without.
        time: UTC.
    """

    batch_size: int
    device: str
    seconds: tuple[float, ...]
    has_measuring: bool
    time: datetime

    @property
    def median(self) -> float:
        """Seconds a step."""
        return median(self.seconds)

    @property
    def low(self) -> float:
        """Seconds a step of the fastest repetition."""
        return min(self.seconds)

    @property
    def high(self) -> float:
        """Seconds a step of the slowest repetition."""
        return max(self.seconds)


def newest(timings: Iterable[Timing]) -> tuple[Timing, ...]:
    """Of each batch size on each device what was measured last, by device and batch size.

    Args:
        timings: Oldest first.
    """
    found = {(each.device, each.batch_size): each for each in timings}
    return tuple(found[key] for key in sorted(found))

"""Experiments as stored: their settings, their state and their studies."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tuner.experiment import Experiment
from tuner.records.studies import StudyRecord
from tuner.records.timings import Timing


class ExperimentState(StrEnum):
    """Whether workers take an experiment's studies: now, not for the time being, or never again."""

    OPEN = "open"
    PAUSED = "paused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Growth:
    """Work that was added to an experiment after it had been stored.

    Attributes:
        time: UTC.
        added: A phrase for each setting: `search.points 50 -> 60`.
    """

    time: datetime
    added: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was added, for a person."""
        return f"{self.time:%Y-%m-%d}: added {', '.join(self.added)}"

    def to_json(self) -> dict[str, object]:
        """One entry of `growth`."""
        return {"time": self.time.isoformat(), "added": list(self.added)}


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """Everything stored of an experiment except the curves.

    Attributes:
        studies: Each batch size's current round with those before, smallest batch size first; one that is not yet begun
            has no trials.
        growth: What was added to it, oldest first.
        damaged: What is left out because it cannot be read, in a phrase each; of the studies, growth and timings.
        timings: How long a step takes, by device and batch size.
    """

    experiment: Experiment
    studies: tuple[StudyRecord, ...]
    state: ExperimentState = ExperimentState.OPEN
    growth: tuple[Growth, ...] = ()
    damaged: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()

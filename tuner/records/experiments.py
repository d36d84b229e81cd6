"""Experiments as stored: their settings, their state and their studies."""

from dataclasses import dataclass
from enum import StrEnum

from tuner.experiment import Experiment
from tuner.records.studies import StudyRecord


class ExperimentState(StrEnum):
    """Whether workers take an experiment's studies: now, not for the time being, or never again."""

    OPEN = "open"
    PAUSED = "paused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """Everything stored of an experiment except the curves.

    Attributes:
        studies: Each batch size's current round with those before, smallest batch size first; one that is not yet begun
            has no trials.
    """

    experiment: Experiment
    studies: tuple[StudyRecord, ...]
    state: ExperimentState = ExperimentState.OPEN

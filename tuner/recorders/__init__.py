"""Events of a run, and the recorders that are told of them. A recorder is a view; the store is the record."""

from dataclasses import dataclass
from typing import Protocol

from tuner.experiment import Experiment
from tuner.records import Curve, StudyRecord, TrialRecord


@dataclass(frozen=True, slots=True)
class StudyStarted:
    """A worker has claimed a study, which holds these trials already, or has just opened its next round."""

    study: StudyRecord
    worker: str


@dataclass(frozen=True, slots=True)
class ExtraStarted:
    """So many trials are to be trained of a study beside its search and confirmation.

    Attributes:
        worker: Who has claimed it for that; empty if nobody has yet.
    """

    study: StudyRecord
    worker: str
    runs: int


@dataclass(frozen=True, slots=True)
class TrialFinished:
    """A trial has a result, which is stored already."""

    batch_size: int
    round: int
    trial: TrialRecord
    curve: Curve


@dataclass(frozen=True, slots=True)
class StudyAdvanced:
    """Gradient steps that a study's running trials have taken since the last such event."""

    batch_size: int
    steps: int


@dataclass(frozen=True, slots=True)
class StudyWaits:
    """A study cannot go on before others have come as far; its worker has handed it back.

    Attributes:
        waits_for: The batch sizes of the others.
    """

    study: StudyRecord
    waits_for: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StudyFinished:
    """A study is complete. Also told of one that was before a run, and when its extra trials are done."""

    study: StudyRecord


@dataclass(frozen=True, slots=True)
class StudyBroken:
    """A study cannot go on; what it finished is stored.

    Attributes:
        reason: What went wrong, in a line.
        details: Where, as a traceback; empty if it is nothing to debug.
    """

    batch_size: int
    reason: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line a person should see."""

    text: str


Event = StudyStarted | ExtraStarted | TrialFinished | StudyAdvanced | StudyWaits | StudyFinished | StudyBroken | Notice


class Recorder(Protocol):
    """Told of everything that happens to one experiment. Must return at once and never raise."""

    def open(self, experiment: Experiment) -> None:
        """Events of this experiment follow."""
        ...

    def record(self, event: Event) -> None:
        """Something happened."""
        ...

    def close(self) -> None:
        """No more events follow; finish what is still to be written."""
        ...

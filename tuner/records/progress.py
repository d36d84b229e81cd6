"""The progress of experiments in counts: what `tuner status` shows, the same size for any number of trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tuner.experiment import Experiment
from tuner.records import ExperimentState, Holder, Stage


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """How far one study is, all its rounds together.

    Attributes:
        complete: Whether search and confirmation are done.
        error: Why it was set aside; empty if it was not.
        stage: How far it has come. After its search it is handed back whenever it has to wait for others.
        searched, probed, confirmed: Search trials, probes and confirmation trials with a result.
        running, failed: Trials of any role that run, and that ended without a result because something went wrong.
        interrupted: Trials of any role that ended without a result because a worker had to stop.
        best: The best score of a search trial (`TrialEnd.score`); None if none has a score.
        reported: The scores of the seeds that report, infinite if one has none; of complete studies only.
        holder: The living worker that searches it now, and where.
        recent: Trials with a result since it was claimed.
        latest: When the last of these ended.
        damaged: Trials with a result that cannot be read, and are not counted.
    """

    batch_size: int
    round: int
    complete: bool
    error: str = ""
    stage: Stage = Stage.SEARCH
    searched: int = 0
    probed: int = 0
    confirmed: int = 0
    running: int = 0
    failed: int = 0
    interrupted: int = 0
    best: float | None = None
    reported: tuple[float, ...] = ()
    holder: Holder | None = None
    recent: int = 0
    latest: datetime | None = None
    damaged: int = 0

    @property
    def done(self) -> int:
        """Trials with a result."""
        return self.searched + self.probed + self.confirmed


@dataclass(frozen=True, slots=True)
class ExperimentProgress:
    """How far an experiment is: its studies, smallest batch size first."""

    experiment: Experiment
    state: ExperimentState
    studies: Sequence[StudyProgress]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to be done."""
        return all(each.complete for each in self.studies)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An experiment that cannot be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoreProgress:
    """How far the experiments of a store are, oldest first, and those that cannot be read."""

    experiments: Sequence[ExperimentProgress]
    unreadable: Sequence[Unreadable] = ()

"""What a worker is to do: which studies there is work on, and the work on one that it has claimed."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event
from tuner.records import StudyRecord
from tuner.search.training import StudyTraining
from tuner.stores import OpenStudy, Store


class Session(Protocol):
    """The work on one claimed study. The record says what is done already, so the work can begin at any state.

    Attributes:
        training: Trains and stores the trials of the study.
    """

    @property
    def training(self) -> StudyTraining: ...

    def started(self, study: StudyRecord) -> Event:
        """What is told before the work begins."""
        ...

    def run(self, lanes: int) -> tuple[int, ...]:
        """Go on with the study as far as the others of its experiment allow.

        Returns:
            The batch sizes that it has to wait for; running again goes on from here. Empty if the work is done.

        Raises:
            Interrupted: Asked to stop.
            OutOfMemory: The device cannot hold this many lanes; running again goes on from here.
        """
        ...

    def run_alone(self, trials: int) -> tuple[int, ...]:
        """Go on as `run` does with one lane, for so many trials; raises `AllAlone` then."""
        ...

    def finish(self, waiting: tuple[int, ...]) -> Event:
        """Store that the work is done, unless the study has to wait for others. Returns what is told of it."""
        ...

    def set_aside(self, *, error: str) -> bool:
        """Give the study up because it keeps failing. Whether that is stored, so that no worker takes it again."""
        ...


class Task(Protocol):
    """What a worker does. Values only: it is sent to other processes."""

    def open_studies(self, store: Store) -> Sequence[OpenStudy]:
        """The studies there is work on, and those of them that this worker has claimed.

        Raises:
            StoreError: The store does not answer.
        """
        ...

    def takes(self, study: StudyRecord) -> bool:
        """Whether there is work on a study that has just been claimed."""
        ...

    def adapt(self, objective: Objective) -> Objective:
        """The workload that the trials are trained with, given the experiment's."""
        ...

    def session(self, training: StudyTraining, *, worker: str, studies: Callable[[], Sequence[StudyRecord]]) -> Session:
        """The work on a claimed study. `studies` reads all studies of the experiment as they stand."""
        ...

    def submit(self, store: Store, experiment: Experiment) -> Sequence[str]:
        """Have the store hold the experiment with this work open. Returns what was added to it, in phrases.

        Raises:
            StoreError: The store cannot be used, or the experiment does not allow it.
        """
        ...

    def before(self, studies: Sequence[StudyRecord]) -> Sequence[Event]:
        """What is told of the studies before any worker is started."""
        ...

    def is_done(self, studies: Sequence[StudyRecord]) -> bool:
        """Whether nothing is left to do, given all studies of the experiment."""
        ...

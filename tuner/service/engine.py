"""Engines: an engine starts workers, passes on their events, and stops them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tuner.experiment import Experiment
from tuner.recorders import Event, Notice
from tuner.search.checkpoints import CheckpointFolder
from tuner.search.tasks.contract import Task
from tuner.search.tasks.searching import Searching
from tuner.service.signals import Stop

STOPPING = Notice("stopping: finished trials are stored, the others will be trained again; once more to hurry")
"""What whoever asked the workers to stop is told."""
KILLED = Notice("the workers had not stopped in time and were ended; finished trials are stored")


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker is to do.

    Attributes:
        store_url: As `tuner.stores.opening.open_store` takes it. May hold a password.
        device: Where to train, as torch names it, or `auto`.
        checkpoints: Where running trials are saved; nowhere if None.
        task: What they do with its studies.
    """

    experiment: Experiment
    store_url: str
    device: str
    checkpoints: CheckpointFolder | None = None
    task: Task = Searching()  # noqa: RUF009 - it has no state


class Engine(Protocol):
    """Somewhere to run workers."""

    def run(self, job: Job, tell: Callable[[Event], None], *, stop: Stop) -> bool:
        """Search until every study is complete, or the process is asked to stop (SIGINT, SIGTERM).

        Args:
            job: What to do.
            tell: Told of every event, in this process.
            stop: Is asked when the process is.

        Returns:
            Whether it ran to the end: False if it was asked to stop.
        """
        ...

"""A worker claims one open study at a time and sees it through."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuner.errors import OutOfMemory, TunerError
from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyBroken, StudyFinished, StudyStarted
from tuner.records import StudyRecord
from tuner.session import Interrupted, Session
from tuner.stores import Claim, Store


@dataclass(frozen=True, slots=True)
class Worker:
    """Searches the open studies of an experiment, one at a time.

    Attributes:
        name: Who this is, for people.
        device: Where to train, as torch names it, or `auto`.
        emit: Told of every event; must be safe to call from any thread.
        stopping: Whether to stop; asked after every chunk of training.
    """

    name: str
    experiment: Experiment
    objective: Objective
    store: Store
    device: str
    emit: Callable[[Event], None]
    stopping: Callable[[], bool]

    def run(self) -> None:
        """Search until no open study can be claimed, or asked to stop.

        Large batch sizes go first: they take longest, and workers should end together. A study that breaks is told
        of and left as it stands; the others go on.
        """
        broken: set[int] = set()
        while True:
            tried = self._pass(broken)
            if tried <= broken or self.stopping():
                return

    def _pass(self, broken: set[int]) -> set[int]:
        """Try every open study once; the batch sizes that could be claimed. Adds to `broken` those that broke."""
        claimed = set()
        for batch_size in sorted(self._open() - broken, reverse=True):
            if self.stopping():
                break
            with self.store.claim(self.experiment.name, batch_size) as claim:
                if claim is None or (study := claim.record()).complete:
                    continue
                claimed.add(batch_size)
                try:
                    self._study(claim, study)
                except Interrupted:
                    break
                except TunerError as error:
                    broken.add(batch_size)
                    self.emit(StudyBroken(batch_size, str(error)))
                except Exception as error:
                    broken.add(batch_size)
                    self.emit(StudyBroken(batch_size, f"{type(error).__name__}: {error}", traceback.format_exc()))
        return claimed

    def _open(self) -> set[int]:
        """The batch sizes whose studies are not complete."""
        return {each.batch_size for each in self._studies() if not each.complete}

    def _studies(self) -> Sequence[StudyRecord]:
        """All studies as they stand."""
        return self.store.record(self.experiment.name).studies

    def _study(self, claim: Claim, study: StudyRecord) -> None:
        """See a claimed study through, with fewer lanes if they do not fit. Raises `Interrupted`."""
        self.emit(StudyStarted(study, self.name))
        session = Session(
            self.experiment,
            self.objective,
            claim,
            self.name,
            self.device,
            self.emit,
            self.stopping,
            studies=self._studies,
        )
        lanes = self.experiment.search.width
        while True:
            try:
                session.run(lanes)
                break
            except OutOfMemory as error:
                if lanes == 1:
                    raise
                lanes //= 2
                self.emit(Notice(f"batch size {study.batch_size}: {error}; going on with {lanes} lanes"))
        claim.complete()
        self.emit(StudyFinished(claim.record()))

"""A worker claims one open study at a time and sees it through."""

import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from tuner.errors import ClaimLost, ConfigError, ContractError, OutOfMemory, StoreError, StoreUnreachable, TunerError
from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyBroken, StudyFinished, StudyStarted, StudyWaits
from tuner.records import Role, StudyRecord
from tuner.search.checkpoints import CheckpointFolder, checkpoints_of
from tuner.search.failures import TooManyErrors
from tuner.search.loop import TrainerBroken
from tuner.search.protocol import StudySearch
from tuner.search.training import AllAlone, Interrupted, StudyTraining
from tuner.service.cores import check_device
from tuner.service.watch import Watch
from tuner.stores import Claim, OpenStudy, Store
from tuner.stores.retries import retry
from tuner.tracebacks import reason_of

ATTEMPTS = 3
"""How often in a row a study may fail, without a trial finished in between, before it is set aside."""

LASTING = (ConfigError, ContractError, TooManyErrors)
"""Errors that come again however often a study is tried: it is set aside at once."""

Emit = Callable[[Event], None]


def this_process() -> str:
    """What a worker in this process is called: its host and process."""
    return f"{os.uname().nodename}/{os.getpid()}"


@dataclass(slots=True)
class Worker:
    """Searches open studies, one at a time.

    Attributes:
        name: Who this is, for people.
        device: Where to train, as torch names it, or `auto`.
        recording: Within it, what happens to a study of the experiment is told; must be safe to call from any thread.
        tell: Told what concerns the worker and no study.
        stopping: Whether to stop; asked after every chunk of training.
        only: The one experiment to work on; empty for all.
        once: Whether to end when nothing is open any more, instead of waiting for more.
        checkpoints: Where running trials are saved; nowhere if None.
        build: Makes the workload of an experiment.
    """

    name: str
    store: Store
    device: str
    recording: Callable[[Experiment], AbstractContextManager[Emit]]
    tell: Callable[[Notice], None]
    stopping: Callable[[], bool]
    only: str = ""
    once: bool = False
    checkpoints: CheckpointFolder | None = None
    build: Callable[[Experiment], Objective] = Experiment.build_objective
    _given_up: set[tuple[str, int]] = field(default_factory=set, init=False)
    _objectives: dict[str, Objective] = field(default_factory=dict, init=False)

    def run(self) -> None:
        """Search until asked to stop or, with `once`, until no study is open any more.

        Studies of other workers are waited for. If such a worker dies, this one takes its study over.

        Raises:
            StoreUnreachable: The store did not answer for ten minutes.
        """
        with Watch(self.store) as watch:
            studies = self._read(watch)
            while not self.stopping():
                wanted = [each for each in studies if self._wants(each)]
                if self.once and not wanted:
                    return
                has_worked = self._work_on_one(wanted, watch)
                studies = self._read(watch) if has_worked else watch.wait(until=self.stopping)

    def _read(self, watch: Watch) -> Sequence[OpenStudy]:
        try:
            return retry(watch.read, give_up=self.stopping)
        except StoreUnreachable:
            if self.stopping():
                return ()
            raise

    def _wants(self, study: OpenStudy) -> bool:
        """Whether this worker may go on with a study, now or after its owner has died.

        A study that waits for one that this worker has given up is left to the workers that have not.
        """
        needed = {(study.experiment, each) for each in (study.batch_size, *study.waits_for)}
        return self.only in ("", study.experiment) and needed.isdisjoint(self._given_up)

    def _work_on_one(self, studies: list[OpenStudy], watch: Watch) -> bool:
        """Claim the first study that is free and search it to its end. Returns whether there was a free study."""
        for each in studies:
            if not each.is_free or each.waits_for or self.stopping():
                continue
            try:
                with self.store.claim(each.experiment, each.batch_size, worker=self.name, device=self.device) as claim:
                    if claim is None or (study := claim.record()).complete or study.error:
                        continue
                    with watch.keeping(claim):
                        self._see_through(claim, study, watch)
            except (StoreUnreachable, ClaimLost) as error:
                self.tell(Notice(f"{each.experiment}, batch size {each.batch_size}: {error}"))
            except StoreError as error:  # the record itself is damaged: nothing can be written to it either
                self._given_up.add((each.experiment, each.batch_size))
                self.tell(Notice(f"{each.experiment}, batch size {each.batch_size}: {error}; left alone"))
            return True
        return False

    def _see_through(self, claim: Claim, study: StudyRecord, watch: Watch) -> None:
        """Search a claimed study until it is done, handed back, or set aside."""
        experiment = claim.experiment
        with self.recording(experiment) as emit:
            objective = self._objective(experiment)
            if objective is None:
                return
            with checkpoints_of(self.checkpoints, experiment, study.batch_size, tell=emit) as checkpoints:
                training = StudyTraining(
                    experiment,
                    objective,
                    claim,
                    self.device,
                    emit,
                    stopping=lambda: self.stopping() or watch.lets_go(experiment.name, study.batch_size),
                    checkpoints=checkpoints,
                )
                self._attempt(StudySearch(training, self.name, partial(self._studies, experiment)), study, emit)

    def _studies(self, experiment: Experiment) -> Sequence[StudyRecord]:
        """All studies of an experiment as they stand."""
        return retry(lambda: self.store.record(experiment.name), give_up=self.stopping).studies

    def _attempt(self, session: StudySearch, study: StudyRecord, emit: Emit) -> None:
        """Search a study, again if it fails; set it aside if it keeps failing. Raises `StoreError`."""
        failures, finished = 0, -1
        while True:
            try:
                self._search(session, study, emit)
            except Interrupted:
                if not self.stopping():
                    emit(Notice(f"batch size {study.batch_size}: handed back; finished trials are stored"))
            except StoreError:
                raise
            except Exception as error:
                study = session.claim.record()
                failures = failures + 1 if _finished(study) == finished else 1
                finished = _finished(study)
                if failures < ATTEMPTS and not isinstance(error, LASTING):
                    emit(Notice(f"batch size {study.batch_size}: {_reason(error)}; trying again"))
                    continue
                session.claim.set_aside(error=_reason(error))
                details = "" if isinstance(error, TunerError) else traceback.format_exc()
                emit(StudyBroken(study.batch_size, _reason(error), details))
            return

    def _search(self, session: StudySearch, study: StudyRecord, emit: Emit) -> None:
        """Go on with a claimed study, with fewer lanes if they do not fit, until it is done or has to wait for others.

        Raises:
            Interrupted: Asked to stop.
        """
        emit(StudyStarted(study, self.name))
        lanes, alone = session.experiment.search.width, 0
        while True:
            try:
                waiting = session.run_alone(alone) if alone else session.run(lanes)
                break
            except OutOfMemory as error:
                if lanes == 1:
                    raise
                lanes //= 2
                emit(Notice(f"batch size {study.batch_size}: {error}; going on with {lanes} lanes"))
            except TrainerBroken as error:
                alone = error.running if error.running > 1 else 0
                if alone:
                    said = f"{error}; its {alone} trials run one at a time, to find the one that raised it"
                    emit(Notice(f"batch size {study.batch_size}: {said}"))
            except AllAlone:
                alone = 0
        session.training.checkpoints.clear()
        if waiting:
            emit(StudyWaits(session.claim.record(), waiting))
        else:
            session.claim.complete()
            emit(StudyFinished(session.claim.record()))

    def _objective(self, experiment: Experiment) -> Objective | None:
        """The experiment's workload; None if it cannot be trained here, where something may be missing."""
        if experiment.digest not in self._objectives:
            try:
                objective = self.build(experiment)
                check_device(self.device)
            except Exception as error:
                self._given_up |= {(experiment.name, each) for each in experiment.batch_sizes}
                self.tell(Notice(f"{experiment.name} is left to other workers: {_reason(error)}"))
                return None
            self._objectives[experiment.digest] = objective
        return self._objectives[experiment.digest]


def _finished(study: StudyRecord) -> int:
    """How many trials have a result."""
    return len(study.finished(*Role))


def _reason(error: Exception) -> str:
    """What went wrong, in a line."""
    return str(error) if isinstance(error, TunerError) else reason_of(error)

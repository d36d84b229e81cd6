"""A worker claims one open study at a time and sees it through."""

import os
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from tuner.errors import ClaimLost, ConfigError, ContractError, OutOfMemory, StoreError, StoreUnreachable, TunerError
from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyBroken
from tuner.records import Role, StudyRecord
from tuner.search.checkpoints import CheckpointFolder, checkpoints_of
from tuner.search.failures import TooManyErrors
from tuner.search.loop import TrainerBroken
from tuner.search.tasks.contract import Session, Task
from tuner.search.tasks.extra import unchanged
from tuner.search.tasks.searching import Searching
from tuner.search.training import AllAlone, Interrupted, StudyTraining
from tuner.service.cores import check_device
from tuner.service.watch import LONGEST_REST, LeftAlone, Watch
from tuner.stores import Claim, OpenStudy, Store
from tuner.stores.retries import Patience, Reminder, pause, sleep
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
        place: Where the workload of a task is trained: by default in this process.
        task: What to do with studies; by default they are searched.
        clock: Counts the seconds for which a study that fails is left alone.
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
    place: Callable[[Objective], Objective] = unchanged
    task: Task = Searching()  # noqa: RUF009 - it has no state
    clock: Callable[[], float] = time.monotonic
    _left: LeftAlone = field(init=False)
    _patience: Patience = field(init=False)
    _idle: Reminder = field(init=False)
    _objectives: dict[str, Objective] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._left, self._patience = (
            LeftAlone(self.clock),
            Patience(self.stopping, tell=lambda line: self.tell(Notice(line))),
        )
        self._idle = Reminder(most=LONGEST_REST, clock=self.clock)

    def run(self) -> None:
        """Search until asked to stop or, with `once`, until no study is open any more that this worker can go on with.

        Studies of other workers are waited for. If such a worker dies, this one takes its study over.

        Raises:
            StoreUnreachable: The store did not answer for ten minutes.
        """
        with Watch(self.store, partial(self.task.open_studies, self.store)) as watch:
            studies = self._read(watch)
            while not self.stopping():
                found = [each for each in studies if self.only in ("", each.experiment)]
                wanted = [each for each in found if not self._has_given_up(each)]
                if self.once and not wanted:
                    return
                if not self._left.is_any_passing(found):
                    self._patience.succeed()  # others have taken what this worker could not reach
                has_worked = self._work_on_one(wanted, watch)
                self._tell_if_idle(found, is_idle=not wanted)
                studies = self._read(watch) if has_worked else watch.wait(until=partial(self._may_go_on, found))

    def _read(self, watch: Watch) -> Sequence[OpenStudy]:
        try:
            return self._patience.retry(watch.read)
        except StoreUnreachable:
            if self.stopping():
                return ()
            raise

    def _has_given_up(self, study: OpenStudy) -> bool:
        """Whether this worker leaves a study alone, or one that it waits for, because of an error that lasts.

        It is left to the workers that have no such error.
        """
        needed = (study.batch_size, *study.waits_for)
        return any(self._left.has_given_up((study.experiment, each)) for each in needed)

    def _may_go_on(self, studies: Sequence[OpenStudy]) -> bool:
        """Whether there is something to do before anything is heard."""
        return self.stopping() or self._left.is_any_due(studies)

    def _tell_if_idle(self, studies: Sequence[OpenStudy], *, is_idle: bool) -> None:
        """Say now and then that there are open studies, and why this worker does nothing."""
        if not studies:
            self._idle.end()
        if not (studies and is_idle):
            return
        self._idle.begin()
        if self._idle.is_due():
            self.tell(Notice(self._left.idle_sentence(studies)))

    def _work_on_one(self, studies: list[OpenStudy], watch: Watch) -> bool:
        """Claim the first study that is free and search it to its end. Returns whether there was a free study."""
        for each in studies:
            rests = not each.is_free or each.waits_for or self._left.has((each.experiment, each.batch_size))
            if not rests and not self.stopping() and self._try(each, watch):
                return True
        return False

    def _try(self, study: OpenStudy, watch: Watch) -> bool:
        """Claim a study and search it to its end; leave it alone for a while if that fails. Whether it was free."""
        key = name, batch_size = study.experiment, study.batch_size
        try:
            with self.store.claim(
                name, batch_size, worker=self.name, device=self.device, patience=self._patience
            ) as claim:
                self._patience.succeed()
                if claim is None:
                    return False
                if not self.task.takes(record := claim.record()):
                    return False
                with watch.keeping(claim):
                    self._see_through(claim, record, watch)
        except StoreUnreachable as error:
            self._patience.fail(error)
            self._left.leave([key], str(error), passes=True)
        except ClaimLost as error:
            self._left.leave([key], str(error), passes=True)
            self.tell(Notice(f"{name}, batch size {batch_size}: {error}"))
        except StoreError as error:  # the record itself is damaged: nothing can be written to it either
            self._left.leave([key], str(error), passes=False)
            self.tell(Notice(f"{name}, batch size {batch_size}: {error}; {self._left.sentence(key)}"))
        return True

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
                studies = partial(self._studies, experiment)
                session = self.task.session(training, worker=self.name, studies=studies)
                given_up = self._attempt(session, study, emit)
        key = experiment.name, study.batch_size
        if given_up:
            self._left.leave([key], given_up, passes=False)
        else:
            self._left.forget([key])
        self._idle.end()

    def _studies(self, experiment: Experiment) -> Sequence[StudyRecord]:
        """All studies of an experiment as they stand."""
        return self._patience.retry(lambda: self.store.record(experiment.name)).studies

    def _attempt(self, session: Session, study: StudyRecord, emit: Emit) -> str:
        """Search a study, again if it fails; set it aside if it keeps failing. Raises `StoreError`.

        Returns:
            Why this worker has to leave it alone, because the store does not say that it was set aside; or nothing.
        """
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
                study = session.training.claim.record()
                failures = failures + 1 if _finished(study) == finished else 1
                finished = _finished(study)
                if failures < ATTEMPTS and not isinstance(error, LASTING):
                    emit(Notice(f"batch size {study.batch_size}: {_reason(error)}; trying again"))
                    sleep(pause(failures), give_up=session.training.stopping)
                    continue
                details = "" if isinstance(error, TunerError) else traceback.format_exc()
                is_stored = session.set_aside(error=_reason(error))
                emit(StudyBroken(study.batch_size, _reason(error), details))
                return "" if is_stored else _reason(error)
            return ""

    def _search(self, session: Session, study: StudyRecord, emit: Emit) -> None:
        """Go on with a claimed study, with fewer lanes if they do not fit, until it is done or has to wait for others.

        Raises:
            Interrupted: Asked to stop.
        """
        emit(session.started(study))
        lanes, alone = session.training.experiment.search.width, 0
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
        emit(session.finish(waiting))

    def _objective(self, experiment: Experiment) -> Objective | None:
        """The experiment's workload; None if it cannot be trained here, where something may be missing."""
        studies = [(experiment.name, each) for each in experiment.batch_sizes]
        if experiment.digest not in self._objectives:
            try:
                objective = self.place(self.task.adapt(self.build(experiment)))
                check_device(self.device)
            except Exception as error:
                self._left.leave(studies, _reason(error), passes=False)
                said = f"{experiment.name} is left to other workers: {_reason(error)}"
                self.tell(Notice(f"{said}; {self._left.sentence(studies[0])}"))
                return None
            self._left.forget(studies)
            self._objectives[experiment.digest] = objective
        return self._objectives[experiment.digest]


def _finished(study: StudyRecord) -> int:
    """How many trials have a result."""
    return len(study.finished(*Role))


def _reason(error: Exception) -> str:
    """What went wrong, in a line."""
    return str(error) if isinstance(error, TunerError) else reason_of(error)

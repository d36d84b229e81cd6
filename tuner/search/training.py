"""Training the points of a claimed study: the trials are stored, saved on the way, and told to the recorders."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from tuner.experiment import Experiment
from tuner.objective import Objective, Trainer, make_trainer
from tuner.recorders import Event, Notice, StudyAdvanced, TrialFinished
from tuner.records import INTERRUPTED, PointRun, StudyRecord, TrialPlan
from tuner.search.checkpoints import Checkpoints, NoCheckpoints
from tuner.search.contract import check_for
from tuner.search.cutoff import Cutoff
from tuner.search.failures import ErrorWatch, TooManyErrors
from tuner.search.loop import Advanced, Ended, Resumed, Saved, TrainerBroken, Trial, search
from tuner.search.loop import Event as Progress
from tuner.search.points import Points
from tuner.search.prefetch import Prefetch
from tuner.stores import Claim
from tuner.trial import TrialResult, trial_seed

ADVANCE_SECONDS = 0.5
"""How often progress within trials is told."""


class Interrupted(Exception):  # noqa: N818 - not an error: someone asked the worker to stop
    """The worker was asked to stop. Everything finished is stored; the rest will be trained again."""


class AllAlone(Exception):  # noqa: N818 - not an error: the trials that were to run one at a time have run
    """As many trials have run one at a time as were wanted."""


@dataclass(frozen=True, slots=True)
class StudyTraining:
    """Trains the points of one claimed study.

    Attributes:
        device: Where to train, as torch names it, or `auto`.
        emit: Told of every event; must be safe to call from any thread.
        stopping: Whether to stop; asked after every chunk of training.
        checkpoints: What interrupted trials go on from.
        alone: After how many trials to come back, because they run one at a time; 0 for never.
    """

    experiment: Experiment
    objective: Objective
    claim: Claim
    device: str
    emit: Callable[[Event], None]
    stopping: Callable[[], bool]
    checkpoints: Checkpoints = NoCheckpoints()  # noqa: RUF009 - it has no state
    alone: int = 0

    def train(self, record: StudyRecord, points: Points, lanes: int, cutoff: Cutoff, *, reports: bool = False) -> None:
        """Train every point that is left. The store, the points and the recorders are told each result.

        Args:
            record: The study before these trials.
            points: What to run.
            lanes: Most lanes.
            cutoff: When a trial is cut.
            reports: Whether these trials report the winner: then test metrics are measured along their curves.

        Raises:
            Interrupted: Asked to stop.
            OutOfMemory: The device cannot hold this many lanes.
            TrainerBroken: The training code raised an error, and the trainer cannot be used any more.
            TooManyErrors: Too many of the last trials ended with an error.
            AllAlone: As many trials have run one at a time as were wanted.
        """
        if points.left == 0:
            return
        count = min(points.left, self.alone) if self.alone else points.left
        lanes = min(lanes, count)
        plan = self.experiment.measuring.plan(self.experiment.goal, record.batch_size, reports=reports)
        made = make_trainer(self.objective, record.batch_size, lanes=lanes, device=self.device, plan=plan)
        with closing(made) as trainer:
            source = TrialSource(self, record, points, trainer)
            errors = ErrorWatch(self.experiment.search.max_error_share, record)
            errors.check()  # the last trial may have broken its trainer
            depth = lanes + self.experiment.search.ask_ahead
            with Prefetch(ask=source.make, tell=source.finish, drop=source.drop, count=count, depth=depth) as trials:
                saving = Saving(self.stopping, self.checkpoints)
                ready = map(self.checkpoints.attach, trials)
                check = check_for(self.objective, owner=self.experiment.kind, goal=source.goal)
                events = search(trainer, ready, source.goal, check=check, cutoff=cutoff, saving=saving)
                self._follow(events, record.batch_size, trials, saving, errors)
        if self.alone:
            raise AllAlone

    def _follow(
        self, events: Iterator[Progress], batch_size: int, trials: Prefetch, saving: "Saving", errors: ErrorWatch
    ) -> None:
        """Pass the events of a search on. Raises `Interrupted` and `TooManyErrors`."""
        advanced = self._progress(batch_size)
        for event in events:
            match event:
                case Ended(trial, result):
                    trials.settle(trial, result)
                    if said := errors.see(result.failure):
                        self.emit(Notice(f"batch size {batch_size}, trial {trial.number}: {said}"))
                        errors.check()
                case Saved(trial, checkpoint):
                    self.checkpoints.write(trial, checkpoint)
                case Resumed():
                    self.emit(Notice(f"batch size {batch_size}: {event.sentence}"))
                case Advanced(steps):
                    advanced(steps)
                    if saving.is_last:
                        raise Interrupted

    def _progress(self, batch_size: int) -> Callable[[int], None]:
        """Tells of gradient steps, at most every half second: for the display only, nothing depends on it."""
        told = time.monotonic()
        untold = 0

        def advanced(steps: int) -> None:
            nonlocal told, untold
            untold += steps
            if time.monotonic() - told >= ADVANCE_SECONDS:
                self.emit(StudyAdvanced(batch_size, untold))
                told, untold = time.monotonic(), 0

        return advanced


@dataclass(slots=True)
class Saving:
    """Says after every chunk of training whether to save the running trials, and whether it was the last chunk."""

    stopping: Callable[[], bool]
    checkpoints: Checkpoints
    is_last: bool = False

    def __call__(self) -> bool:
        self.is_last = self.stopping()
        return self.checkpoints.are_due(is_last=self.is_last)


class TrialSource:
    """Makes the trials of a study from points, and tells the store, the points and the recorders how each ended.

    Args:
        study: The study that the trials belong to.
        record: The record of the study before these trials.
        points: The points to run.
        trainer: The trainer that trains the trials.
    """

    def __init__(self, study: StudyTraining, record: StudyRecord, points: Points, trainer: Trainer) -> None:
        self._study, self._record, self._points, self._trainer = study, record, points, trainer
        self.goal = study.experiment.goal.at(record.batch_size)

    def make(self) -> Trial:
        """The next trial, stored as running."""
        plan = self._plan(self._points.ask())
        return Trial(self._study.claim.start(plan), plan)

    def finish(self, trial: Trial, result: TrialResult) -> None:
        """Store the result of a trial, and tell it to the points and the recorders."""
        loss = self.goal.loss(result)
        stored = self._study.claim.finish(trial.number, result, loss=loss)
        self._study.checkpoints.delete(trial.plan)
        self._points.tell(trial.plan.point, loss)
        self._study.emit(TrialFinished(self._record.batch_size, self._record.round, stored, result.curve))

    def drop(self, trial: Trial, error: BaseException | None) -> None:
        """Store that a trial will not be finished, because of an error if there is one."""
        interrupted = error is None or isinstance(error, Interrupted | TrainerBroken | TooManyErrors)
        reason = INTERRUPTED if interrupted else f"{type(error).__name__}: {error}"
        self._study.claim.fail(trial.number, reason=reason)

    def _plan(self, run: PointRun) -> TrialPlan:
        """A run of a point with its seed."""
        seed = trial_seed(
            experiment_seed=self._study.experiment.seed,
            batch_size=self._record.batch_size,
            round=self._record.round,
            point=run.point,
            repeat=run.repeat,
        )
        lanes, device = self._trainer.lanes, self._trainer.device
        return TrialPlan(run.point, run.repeat, run.role, seed, run.hyperparameters, lanes, device, run.origin)

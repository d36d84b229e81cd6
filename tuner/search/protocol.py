"""What a worker does with a study it has claimed: search and probe it, round by round, then confirm the best points."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from itertools import count

from tuner.analysis.edges.probes import pending_probes
from tuner.analysis.edges.widening import wider_space
from tuner.analysis.optimum.confirmation import CHOICE_SLACK, pending
from tuner.analysis.optimum.warm_start import warm_points
from tuner.experiment import Experiment, SearchSettings
from tuner.experiment.components import build
from tuner.experiment.sequences import halton_points_outside
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyAdvanced, StudyStarted, TrialFinished
from tuner.records import PointRun, Role, StudyRecord, TrialPlan
from tuner.samplers import Sampler
from tuner.search.checkpoints import Checkpoints, NoCheckpoints
from tuner.search.loop import Advanced, Ended, Resumed, Saved, Trial, search
from tuner.search.loop import Event as Progress
from tuner.search.prefetch import LookAhead
from tuner.stores import Claim
from tuner.trial import TrialResult, sampler_seed, trial_seed

ADVANCE_SECONDS = 0.5
"""How often progress within trials is told."""


class Interrupted(Exception):  # noqa: N818 - not an error: someone asked the worker to stop
    """The worker was asked to stop. Everything finished is stored; the rest will be trained again."""


@dataclass(frozen=True, slots=True)
class Session:
    """The work on one claimed study. Where it stands is read from the record, so it can begin anywhere.

    Attributes:
        worker: Who does it, for people.
        device: Where to train, as torch names it, or `auto`.
        emit: Told of every event; must be safe to call from any thread.
        stopping: Whether to stop; asked after every chunk of training.
        studies: All studies of the experiment as they stand: a warm start looks at them.
        checkpoints: What interrupted trials go on from.
    """

    experiment: Experiment
    objective: Objective
    claim: Claim
    worker: str
    device: str
    emit: Callable[[Event], None]
    stopping: Callable[[], bool]
    studies: Callable[[], Sequence[StudyRecord]]
    checkpoints: Checkpoints = NoCheckpoints()  # noqa: RUF009 - it has no state

    def run(self, lanes: int) -> None:
        """Search, in wider rounds as long as the optimum is at an edge; then confirm.

        Raises:
            Interrupted: Asked to stop.
            OutOfMemory: The device cannot hold this many lanes; running again goes on from here.
        """
        settings = self.experiment.search
        record = self._search(lanes)
        while (space := wider_space(record, max_rounds=settings.max_rounds)) is not None:
            self.claim.open_round(space)
            self.emit(StudyStarted(self.claim.record(), self.worker))
            record = self._search(lanes)
        while runs := pending(self.claim.record(), self.experiment.confirmation):
            slack = CHOICE_SLACK if runs[0].role is Role.CHOOSE else math.inf
            self._train(record, GivenPoints(runs), lanes, slack=slack)

    def _search(self, lanes: int) -> StudyRecord:
        """Search what is left of the current round, and beyond its sides; the study after it."""
        record, settings = self.claim.record(), self.experiment.search
        warm: Sequence[PointRun] = ()
        if settings.warm_start and not record.earlier:
            warm = warm_points(record, self.studies(), self.experiment.confirmation)
        points = SearchedPoints(self.experiment, record, warm=warm)
        self._train(record, points, lanes, slack=settings.slack, optimism=settings.optimism)
        record = self.claim.record()
        probes = GivenPoints(pending_probes(record, per_side=settings.probes))
        self._train(record, probes, lanes, slack=settings.slack, optimism=settings.optimism)
        return self.claim.record()

    def _train(
        self,
        record: StudyRecord,
        points: "SearchedPoints | GivenPoints",
        lanes: int,
        *,
        slack: float = math.inf,
        optimism: float = math.inf,
    ) -> None:
        """Train every point that is left, told to the store, the points' source and the recorders."""
        if points.left == 0:
            return
        settings, goal = self.experiment.search, self.experiment.goal.at(record.batch_size)
        lanes = min(lanes, points.left)

        def ask() -> Trial:
            plan = self._plan(record, points.ask(), lanes=trainer.lanes, device=trainer.device)
            return Trial(self.claim.start(plan), plan)

        def tell(trial: Trial, result: TrialResult) -> None:
            loss = goal.loss(result)
            stored = self.claim.finish(trial.number, result, loss=loss)
            self.checkpoints.delete(trial.plan)
            points.tell(trial.plan.point, loss)
            self.emit(TrialFinished(record.batch_size, record.round, stored, result.curve))

        def drop(trial: Trial, error: BaseException | None) -> None:
            interrupted = error is None or isinstance(error, Interrupted)
            self.claim.fail(trial.number, reason="interrupted" if interrupted else f"{type(error).__name__}: {error}")

        with (
            closing(self.objective.trainer(record.batch_size, lanes=lanes, device=self.device)) as trainer,
            LookAhead(ask=ask, tell=tell, drop=drop, count=points.left, depth=lanes + settings.ask_ahead) as trials,
        ):
            saving = Saving(self.stopping, self.checkpoints)
            events = search(
                trainer,
                map(self.checkpoints.attach, trials),
                goal,
                slack=slack,
                incumbent=record.incumbent,
                optimism=optimism,
                saving=saving,
            )
            self._follow(events, record.batch_size, trials, saving)

    def _follow(self, events: Iterator[Progress], batch_size: int, trials: LookAhead, saving: "Saving") -> None:
        """Pass on what a search comes to. Raises `Interrupted`."""
        advanced = self._progress(batch_size)
        for event in events:
            match event:
                case Ended(trial, result):
                    trials.settle(trial, result)
                case Saved(trial, checkpoint):
                    self.checkpoints.write(trial, checkpoint)
                case Resumed():
                    self.emit(Notice(f"batch size {batch_size}: {event.sentence}"))
                case Advanced(steps):
                    advanced(steps)
                    if saving.is_last:
                        raise Interrupted

    def _plan(self, record: StudyRecord, run: PointRun, *, lanes: int, device: str) -> TrialPlan:
        """A run of a point with its seed."""
        seed = trial_seed(
            experiment_seed=self.experiment.seed,
            batch_size=record.batch_size,
            round=record.round,
            point=run.point,
            repeat=run.repeat,
        )
        return TrialPlan(run.point, run.repeat, run.role, seed, run.hyperparameters, lanes, device, run.origin)

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


class SearchedPoints:
    """The points of a search without a result: those an interruption left, then new ones from the sampler.

    The sampler is told the results of all rounds, which lie within the space of the last. A model of these expects
    nothing where no trial has been: the first half of a later round's points cover the part that was added.

    Args:
        experiment: Says how to search.
        record: The study as it stands.
        warm: Points that come first in the first round. Quasi-random points with their numbers are skipped: point `n`
            of a sequence stays `n`, and those that are left are as even.

    Attributes:
        left: How many there are at the start.
    """

    def __init__(self, experiment: Experiment, record: StudyRecord, *, warm: Sequence[PointRun] = ()) -> None:
        sampler = build("tuner.samplers", experiment.search.sampler, Sampler)
        seed = sampler_seed(experiment_seed=experiment.seed, batch_size=record.batch_size, round=record.round)
        self._suggestions = sampler.start(record.space, seed=seed)
        searched = record.all_trials(Role.SEARCH)
        begun = {each.plan.point: _again(each.plan) for each in searched}
        losses = {each.plan.point: each.end.loss for each in searched if each.end is not None}
        for point in sorted(begun):
            self._suggestions.queue(point, begun[point].hyperparameters)
        for point in sorted(losses):
            self._suggestions.tell(point, losses[point])
        given = _cover(record, experiment.search, seed=seed) if record.earlier else warm
        self._given = {each.point: each for each in given}
        done = sum(point >= 0 for point in losses)  # the others were probes
        self.left = experiment.search.points_by(record.round) - done
        self._runs = self._unfinished(begun, losses.keys())

    def ask(self) -> PointRun:
        return next(self._runs)

    def tell(self, point: int, loss: float) -> None:
        self._suggestions.tell(point, loss)

    def _unfinished(self, begun: Mapping[int, PointRun], finished: Set[int]) -> Iterator[PointRun]:
        for point in sorted(begun.keys() - finished):
            yield begun[point]
        for point in count(max(begun, default=-1) + 1):
            if (run := self._given.get(point)) is not None:
                self._suggestions.queue(point, run.hyperparameters)
                yield run
            else:
                yield PointRun(point, 0, Role.SEARCH, self._suggestions.ask(point))


def _again(plan: TrialPlan) -> PointRun:
    """The run that a plan was made for."""
    return PointRun(plan.point, plan.repeat, plan.role, plan.hyperparameters, plan.origin)


def _cover(record: StudyRecord, settings: SearchSettings, *, seed: int) -> list[PointRun]:
    """The points with which a later round begins: even over what its space has and the last had not."""
    many = (settings.round_points + 1) // 2
    points = halton_points_outside(record.earlier[-1].space, record.space, many, seed=seed)
    first = settings.points_by(record.round - 1)
    return [PointRun(number, 0, Role.SEARCH, each) for number, each in enumerate(points, start=first)]


class GivenPoints:
    """Points that are known beforehand.

    Attributes:
        left: How many there are at the start.
    """

    def __init__(self, runs: Sequence[PointRun]) -> None:
        self.left = len(runs)
        self._runs = iter(runs)

    def ask(self) -> PointRun:
        return next(self._runs)

    def tell(self, point: int, loss: float) -> None:
        """Nothing is learnt from it."""

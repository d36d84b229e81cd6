"""The status of every study of a run, counted from the run's events: what the progress displays show."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tuner.analysis.optimum.candidates import LEADERS
from tuner.analysis.optimum.race import choosing_runs
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.recorders import (
    Event,
    ExtraStarted,
    StudyAdvanced,
    StudyBroken,
    StudyFinished,
    StudyStarted,
    StudyWaits,
    TrialFinished,
)
from tuner.records import CONFIRMATION, PROTOCOL, Role, StudyRecord, TrialRecord, neighbours

BASIS = 5
"""Trials a study must have finished under our eyes before its pace says anything."""


class StudyState(StrEnum):
    """What happens to a study."""

    WAITING = "waiting"
    SEARCHING = "searching"
    CONFIRMING = "confirming"
    TRAINING = "training"
    DONE = "done"
    BROKEN = "broken"
    STOPPED = "stopped"


@dataclass(slots=True)
class StudyStatus:
    """The status of one study.

    Attributes:
        planned: Trials it will have, if every one that confirmation may ask for is run, no further round is opened, no
            side probed and its optimum not doubted.
        points: Search trials among these.
        done: Trials with a result.
        searched: Search trials among them.
        steps: Gradient steps spent, confirmation included: those of trials with a result, and those told of others.
        ended_steps: Those of trials with a result.
        best: The best score of a search trial, if one has a score.
        started: When it was claimed, in seconds on the caller's clock.
        before: Trials that were done when it was claimed.
        is_extra: Whether only trials are counted that it is given beside its search and confirmation.
    """

    batch_size: int
    planned: int
    points: int
    round: int = 1
    done: int = 0
    searched: int = 0
    steps: int = 0
    ended_steps: int = 0
    best: float | None = None
    state: StudyState = StudyState.WAITING
    started: float = 0.0
    before: int = 0
    is_extra: bool = False

    @property
    def is_active(self) -> bool:
        return self.state in {StudyState.SEARCHING, StudyState.CONFIRMING, StudyState.TRAINING}

    @property
    def activity(self) -> str:
        """What happens to it, with the round if it is not the first."""
        return f"{self.state}, round {self.round}" if self.is_active and self.round > 1 else str(self.state)

    @property
    def left(self) -> int:
        """Trials still to run."""
        return self.planned - self.done if self.is_active or self.state is StudyState.WAITING else 0


class RunProgress:
    """The status of every study of an experiment. `now` is the time on any clock that counts seconds.

    Attributes:
        studies: By batch size, smallest first.
    """

    def __init__(self, experiment: Experiment, *, now: float) -> None:
        self._experiment = experiment
        self._began = now
        self._pace: dict[int, float] = {}
        self.studies = {each: begun(experiment, each) for each in sorted(experiment.batch_sizes)}

    @property
    def unit(self) -> ScoreUnit:
        """What scores count."""
        return self._experiment.goal.unit

    @property
    def done(self) -> int:
        """Trials with a result."""
        return sum(each.done for each in self.studies.values())

    @property
    def planned(self) -> int:
        """Trials there will be."""
        return sum(each.planned for each in self.studies.values())

    def apply(self, event: Event, *, now: float) -> None:
        """Take an event into account."""
        match event:
            case StudyStarted(study):
                self._reset(study, now=now)
            case ExtraStarted(study, worker, runs):
                self.studies[study.batch_size] = _extra(study, runs, is_claimed=bool(worker), now=now)
            case StudyAdvanced(batch_size, steps):
                self.studies[batch_size].steps += steps
            case TrialFinished(batch_size, _, trial):
                self._count(self.studies[batch_size], trial)
                self._measure_pace(self.studies[batch_size], now=now)
            case StudyWaits(study):
                status = self._reset(study, now=now)
                status.state = StudyState.WAITING
                if study.is_confirmed:
                    status.planned = status.done
            case StudyFinished(study):
                is_extra = self.studies[study.batch_size].is_extra
                status = self.studies[study.batch_size] if is_extra else self._reset(study, now=now)
                status.state = StudyState.DONE
                status.planned = status.done
            case StudyBroken(batch_size):
                self.studies[batch_size].state = StudyState.BROKEN

    def stop(self) -> None:
        """Nobody searches any more."""
        for each in self.studies.values():
            if each.is_active:
                each.state = StudyState.STOPPED

    def elapsed(self, now: float) -> float:
        """Seconds since this run began."""
        return now - self._began

    def time_left(self) -> float | None:
        """Seconds the rest will take at the pace so far, or None before there is a basis."""
        return time_left(self.studies.values(), self._pace)

    def _reset(self, study: StudyRecord, *, now: float) -> StudyStatus:
        """Set a study to what its record holds."""
        before = study.finished(*PROTOCOL)
        status = begun(self._experiment, study.batch_size, round=study.round, second_look=study.is_second_look)
        status.started, status.before = now, len(before)
        self.studies[study.batch_size] = status
        status.state = StudyState.SEARCHING
        for each in before:
            self._count(status, each)
        return status

    def _count(self, status: StudyStatus, trial: TrialRecord) -> None:
        """Take a trial's result into account."""
        status.done += 1
        status.planned += trial.plan.role is Role.PROBE
        status.ended_steps += trial.end.spent if trial.end is not None else 0
        status.steps = max(status.steps, status.ended_steps)
        if trial.plan.role is Role.SEARCH and trial.end is not None:
            status.searched += 1
            if math.isfinite(trial.score):
                status.best = trial.score if status.best is None else min(trial.score, status.best)
        if trial.plan.role in CONFIRMATION:
            status.state = StudyState.CONFIRMING

    def _measure_pace(self, status: StudyStatus, *, now: float) -> None:
        """Note how fast a study goes, once there is a basis."""
        measured = pace(status.done - status.before, now - status.started)
        if measured is not None:
            self._pace[status.batch_size] = measured


def begun(experiment: Experiment, batch_size: int, *, round: int = 1, second_look: bool = False) -> StudyStatus:
    """A study in which nothing is done."""
    points, confirmation = experiment.points_by(round, second_look=second_look), experiment.confirmation
    if not experiment.space.is_searched:
        return StudyStatus(batch_size, points + confirmation.report_seeds, points, round)
    borrowed = LEADERS * len(neighbours(batch_size, experiment.batch_sizes)) if confirmation.neighbours else 0
    choosing = choosing_runs(confirmation.candidates + borrowed, confirmation.choose_seeds)
    looks = 2 if second_look else 1
    return StudyStatus(batch_size, points + looks * (choosing + confirmation.report_seeds), points, round)


def _extra(study: StudyRecord, runs: int, *, is_claimed: bool, now: float) -> StudyStatus:
    """A complete study that is to be given more trials."""
    state = (StudyState.TRAINING if is_claimed else StudyState.WAITING) if runs else StudyState.DONE
    best = study.incumbent
    return StudyStatus(study.batch_size, runs, 0, study.round, best=best, state=state, started=now, is_extra=True)


def pace(trials: int, seconds: float) -> float | None:
    """Seconds a trial, if there were enough trials in this time to say so."""
    return seconds / trials if trials >= BASIS else None


def time_left(studies: Collection[StudyStatus], paces: Mapping[int, float]) -> float | None:
    """Seconds the rest of an experiment will take, or None if nothing has a pace yet.

    A study goes on at its own pace, one that has none yet at that of the nearest batch size. As many are searched
    at a time as now; the longest of them takes as long as it takes.

    Args:
        studies: All of the experiment.
        paces: Seconds a trial, by batch size.
    """
    if not paces:
        return None
    seconds = [each.left * paces[_nearest(each.batch_size, paces)] for each in studies]
    workers = max(1, sum(each.is_active for each in studies))
    return max(sum(seconds) / workers, *seconds, 0.0)


def _nearest(batch_size: int, others: Iterable[int]) -> int:
    """The batch size nearest by ratio."""
    return min(others, key=lambda other: abs(math.log(other / batch_size)))


def headline(experiment: Experiment) -> str:
    """What is run, in a line: `digits: validation/error < 0.03 within 4,000 steps, at 10 batch sizes`."""
    goal, sizes = experiment.goal, len(experiment.batch_sizes)
    where = f"at {sizes} batch sizes" if sizes > 1 else f"at batch size {experiment.batch_sizes[0]}"
    return f"{experiment.name}: {goal.unit.symbol} within {goal.budget}, {where}"


def duration(seconds: float) -> str:
    """A time as a clock shows it.

    >>> duration(65), duration(3_700)
    ('1:05', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def remaining(seconds: float | None) -> str:
    """An estimate of the time left, no more exact than it is."""
    if seconds is None:
        return "estimating time left"
    if seconds < 10:
        return "a few seconds left"
    step = 5 if seconds < 120 else 30
    return f"about {duration(math.ceil(seconds / step) * step)} left"

"""What a run leaves for its recorders: records that belong together with curves, and the events that told of them."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tests.tuner.synthetic import STARTED, digits, ended, study, trial
from tuner.experiment import Experiment
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.recorders import Event, StudyAdvanced, StudyFinished, StudyStarted, TrialFinished
from tuner.records import (
    EVERYTHING,
    Curve,
    ExperimentRecord,
    PointRun,
    Role,
    StudyRecord,
    TrialEnd,
    TrialRecord,
    Wanted,
)
from tuner.trial import Measurement, Outcome

POINT = {"learning_rate": 0.1, "momentum": 0.9, "end_factor": 1.0, "decay_steps": 100.0}


@dataclass(frozen=True)
class Recorded:
    """An experiment's record with its curves."""

    record: ExperimentRecord
    by_round: Mapping[tuple[int, int], Mapping[int, Curve]]

    @property
    def experiment(self) -> Experiment:
        return self.record.experiment

    def curves(self, batch_size: int, *, round: int = 1) -> Mapping[int, Curve]:
        """As a store answers."""
        return self.by_round[batch_size, round]

    def events(self) -> Iterator[Event]:
        """What the worker said while it searched the studies, one after the other."""
        for searched in self.record.studies:
            for index, each in enumerate(searched.rounds):
                begun = replace(each, complete=False, trials=(), earlier=searched.rounds[:index])
                yield StudyStarted(begun, "worker-0")
                for stored in each.finished(*Role):
                    curve = self.curves(each.batch_size, round=each.round)[stored.number]
                    yield StudyAdvanced(each.batch_size, curve[-1].step)
                    yield TrialFinished(each.batch_size, each.round, stored, curve)
            if searched.complete:
                yield StudyFinished(searched)


@dataclass(frozen=True)
class Held:
    """A store that holds one experiment."""

    what: Recorded
    name: str = "ann"
    url: str = "held"

    def identity(self) -> str:
        """Follows from the store's name."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]

    def record(self, name: str) -> ExperimentRecord:
        assert name == self.what.experiment.name
        return self.what.record

    def curves(self, name: str, batch_size: int, *, round: int = 1, wanted: Wanted = EVERYTHING) -> Mapping[int, Curve]:
        assert wanted == EVERYTHING
        assert name == self.what.experiment.name
        return self.what.curves(batch_size, round=round)

    def close(self) -> None:
        """Nothing is open."""

    def open(self) -> AbstractContextManager["Held"]:
        """As a store is opened to be read."""
        return nullcontext(self)


def recorded(*, batch_sizes: tuple[int, ...] = (64, 128), trials: int = 4, measurements: int = 3) -> Recorded:
    """Complete studies of search trials that reach the target in 30, 31, 32 ... steps; the last one diverges."""
    studies, curves = [], {}
    for batch_size in batch_sizes:
        ends = [ended(30 + number) for number in range(trials - 1)] + [ended(24, outcome=Outcome.INFEASIBLE)]
        curves[batch_size, 1] = {number: curve_to(end, measurements) for number, end in enumerate(ends)}
        studies.append(finished_study(batch_size, [at_second(number, end) for number, end in enumerate(ends)]))
    experiment = digits(batch_sizes=list(batch_sizes))
    return Recorded(ExperimentRecord(experiment, tuple(studies)), curves)


def widened(what: Recorded) -> Recorded:
    """The same, and a second round of each study in a wider space: as many trials, which take half as long."""
    studies, curves = [], dict(what.by_round)
    for first in what.record.studies:
        space = SearchSpace({**first.space.parameters, "learning_rate": Range(1e-4, 10.0, scale=Scale.LOG)})
        count = len(first.trials)
        trials = [
            replace(at_second(number, ended(15 + number), point=count + number), round=2) for number in range(count)
        ]
        studies.append(replace(finished_study(first.batch_size, trials), round=2, space=space, earlier=(first,)))
        curves[first.batch_size, 2] = {each.number: curve_to(each.end, 3) for each in trials if each.end is not None}
    return Recorded(ExperimentRecord(what.experiment, tuple(studies)), curves)


def finished_study(batch_size: int, trials: list[TrialRecord]) -> StudyRecord:
    """A complete study of these trials."""
    return replace(study(*trials, batch_size=batch_size), complete=True)


def at_second(number: int, end: TrialEnd, *, point: int | None = None) -> TrialRecord:
    """A search trial of all the preset's hyperparameters, started a second after the one before it."""
    run = PointRun(number if point is None else point, 0, Role.SEARCH, POINT)
    began = STARTED + timedelta(seconds=run.point)
    stored = trial(number, end, run=run)
    return replace(stored, started=began, ended=began + timedelta(seconds=1))


def curve_to(end: TrialEnd, measurements: int) -> Curve:
    """A falling curve, evenly spaced, that ends as the trial did; a diverged one in a loss that is not a number."""
    steps = [max(1, round(end.spent * (index + 1) / measurements)) for index in range(measurements)]
    falling = [
        Measurement(step, {name: value + (end.spent - step) / 100 for name, value in end.final.items()})
        for step in steps
    ]
    if end.outcome is Outcome.INFEASIBLE:
        falling[-1] = Measurement(steps[-1], {**falling[-1].metrics, "train/loss": float("nan")})
    return tuple(falling)


def finished(batch_size: int, number: int, *, steps: int = 40, outcome: Outcome = Outcome.ACHIEVED) -> TrialFinished:
    """A search trial has ended."""
    return TrialFinished(batch_size, 1, at_second(number, ended(steps, outcome=outcome)), ())


def started(batch_size: int, *trials: TrialRecord) -> StudyStarted:
    """A study that holds these trials has been claimed."""
    return StudyStarted(study(*trials, batch_size=batch_size), "worker-0")


@dataclass(frozen=True)
class Cell:
    """The output of a notebook's cell: every picture that it was shown."""

    html: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def show(self, *, html: str, text: str) -> None:
        self.html.append(html)
        self.text.append(text)

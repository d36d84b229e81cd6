"""Progress as plain lines, for logs and pipes."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO

from tuner.analysis.edges.widening import widenings
from tuner.analysis.words import batch_size_word
from tuner.errors import printable
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.recorders import (
    Event,
    ExtraStarted,
    Notice,
    StudyBroken,
    StudyFinished,
    StudyStarted,
    StudyWaits,
    TrialFinished,
)
from tuner.recorders.progress.status import RunProgress, StudyStatus, duration, headline, remaining
from tuner.records import Stage, StudyRecord

PARTS = 5
"""A study tells of each of this many parts of its trials."""


class LineProgress:
    """Prints a line when a study starts, finds a better point, has run another fifth of its trials, and ends.

    Args:
        stream: Receives the lines. Printing stops when its reader has closed it (`tuner run digits | head`).
        clock: Counts seconds.
        prefix: What each line begins with.
    """

    def __init__(self, stream: IO[str], *, clock: Callable[[], float] = time.monotonic, prefix: str = "") -> None:
        self._stream = stream
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._progress: RunProgress | None = None

    def open(self, experiment: Experiment) -> None:
        self._progress = RunProgress(experiment, now=self._clock())
        self._say(headline(experiment))

    def record(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Notice):
                self._say(event.text)
            elif self._progress is not None:
                for line in _lines(self._progress, event, now=self._clock()):
                    self._say(line)

    def close(self) -> None:
        if self._progress is not None:
            done, planned = self._progress.done, self._progress.planned
            self._say(f"{done} of {planned} trials in {duration(self._progress.elapsed(self._clock()))}")

    def _say(self, line: str) -> None:
        try:
            print(printable(f"{self._prefix}{line}"), file=self._stream, flush=True)
        except (OSError, ValueError):  # The reader has gone, or the stream is closed: training goes on.
            self._progress = None


def _lines(run: RunProgress, event: Event, *, now: float) -> Iterator[str]:
    """Take an event into account, and yield the lines that tell of it."""
    match event:
        case StudyStarted() | ExtraStarted():
            run.apply(event, now=now)
            yield from _started(run, event)
        case StudyWaits(study, others):
            run.apply(event, now=now)
            has = "confirmed" if study.is_confirmed else "searched"
            named = batch_size_word(len(others))
            so_far = _so_far(run.studies[study.batch_size], run.unit)
            yield f"batch size {study.batch_size}: {has}, {so_far}; waits for {named} {', '.join(map(str, others))}"
        case StudyFinished(study):
            run.apply(event, now=now)
            yield f"batch size {study.batch_size}: done, {_so_far(run.studies[study.batch_size], run.unit)}"
        case StudyBroken(batch_size, reason):
            run.apply(event, now=now)
            yield f"batch size {batch_size}: broken: {reason}"
        case TrialFinished(batch_size):
            before = replace(run.studies[batch_size])
            run.apply(event, now=now)
            status = run.studies[batch_size]
            if status.best is not None and status.best != before.best:
                yield f"batch size {batch_size}: best {run.unit.phrase(status.best)}, found by {_named(event)}"
            if before.done * PARTS // status.planned < status.done * PARTS // status.planned < PARTS:
                left = remaining(run.time_left())
                yield f"batch size {batch_size}: {status.activity}, {_so_far(status, run.unit)}; {left}"
        case _:
            run.apply(event, now=now)


def _started(run: RunProgress, event: StudyStarted | ExtraStarted) -> Iterator[str]:
    """That a worker begins with a study."""
    study = event.study
    if isinstance(event, ExtraStarted):
        if event.worker:
            trials = "1 trial" if event.runs == 1 else f"{event.runs} trials"
            yield f"batch size {study.batch_size}: is complete, and is given {trials} more"
    elif study.stage is not Stage.CONFIRMED:  # else there is most likely nothing to be done
        status = run.studies[study.batch_size]
        so_far = f"{_begins(study)}, {_so_far(status, run.unit)}" if status.done else "starts"
        yield f"batch size {study.batch_size}: {so_far}"


def _begins(study: StudyRecord) -> str:
    """How a study goes on: where it was, or in a round just opened."""
    if not study.earlier or study.trials:
        return "goes on"
    if study.is_second_look:
        return f"round {study.round} begins: its optimum does not fit those of other batch sizes"
    wider = ", ".join(each.phrase for each in widenings(study.earlier[-1].space, study.space))
    return f"round {study.round} begins ({wider})"


def _named(event: TrialFinished) -> str:
    """A trial, for a person."""
    return f"trial {event.trial.number}" + (f" of round {event.round}" if event.round > 1 else "")


def _so_far(status: StudyStatus, unit: ScoreUnit) -> str:
    """The results of a study so far."""
    best = "" if status.best is None else f", best {unit.phrase(status.best)}"
    return f"{status.done} of {status.planned} trials{best}, {status.steps:,} steps spent"

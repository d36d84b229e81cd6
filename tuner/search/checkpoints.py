"""Checkpoints: the state of the running trials of a study, in files from which the next owner of the study goes on."""

import os
import shutil
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tuner.errors import CheckpointError
from tuner.experiment import Experiment
from tuner.recorders import Notice
from tuner.records import TrialPlan
from tuner.search.checkpoint_files import Owner, decode, encode
from tuner.search.loop import Checkpoint, Trial

SUFFIX, UNFINISHED = ".checkpoint", ".partial"
REST = 19.0
"""Least time from one saving to the next, as a multiple of how long the trainer was held up by the one before."""


class Checkpoints(Protocol):
    """The checkpoints of one study's running trials, with which another worker can go on."""

    def attach(self, trial: Trial) -> Trial:
        """The trial with the checkpoint of its plan, if there is one."""
        ...

    def are_due(self, *, is_last: bool) -> bool:
        """Whether it is time to save the running trials; always if this is the last time."""
        ...

    def write(self, trial: Trial, checkpoint: Checkpoint | None) -> None:
        """Keep the state of a trial; None if its trainer cannot save it. Returns at once."""
        ...

    def delete(self, plan: TrialPlan) -> None:
        """Delete the checkpoint of a plan, because a trial of it has a result."""
        ...

    def clear(self) -> None:
        """Delete all checkpoints, because the study is complete."""
        ...


class NoCheckpoints:
    """Implements `Checkpoints`: a trial whose worker ends starts again."""

    def attach(self, trial: Trial) -> Trial:
        return trial

    def are_due(self, *, is_last: bool) -> bool:  # noqa: ARG002 - it is never time
        return False

    def write(self, trial: Trial, checkpoint: Checkpoint | None) -> None:
        """Nothing is kept."""

    def delete(self, plan: TrialPlan) -> None:
        """There is none."""

    def clear(self) -> None:
        """There are none."""


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """Where checkpoints are kept, and how often they are written. Workers that share it go on from each other's.

    Attributes:
        every: Least time between two checkpoints of a trial, in seconds.
    """

    path: Path
    every: float

    def check(self) -> None:
        """Raise `CheckpointError` if nothing can be written there."""
        probe = self.path / f"{uuid.uuid4().hex}{UNFINISHED}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            advice = "give another folder with --checkpoints or TUNER_CHECKPOINTS"
            raise CheckpointError(f"checkpoints cannot be kept in {self.path}: {error.strerror}; {advice}") from error

    def of_study(
        self, experiment: Experiment, batch_size: int, *, tell: Callable[[Notice], None]
    ) -> AbstractContextManager["CheckpointFiles"]:
        """The checkpoints of a study, kept within the context. `tell` is given what a person should see."""
        folder = self._of_experiment(experiment) / f"batch_size={batch_size}"
        return closing(CheckpointFiles(folder, experiment, batch_size, every=self.every, tell=tell))

    def delete(self, experiment: Experiment) -> None:
        """Delete the checkpoints of an experiment, if there are any. Raises `CheckpointError` if that fails."""
        folder = self._of_experiment(experiment)
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise CheckpointError(f"checkpoints in {folder} cannot be deleted: {error.strerror}") from error

    def _of_experiment(self, experiment: Experiment) -> Path:
        return self.path / f"{experiment.name}-{experiment.digest[:12]}"


def checkpoints_of(
    folder: CheckpointFolder | None, experiment: Experiment, batch_size: int, *, tell: Callable[[Notice], None]
) -> AbstractContextManager[Checkpoints]:
    """The checkpoints of a study; none without a folder."""
    return nullcontext(NoCheckpoints()) if folder is None else folder.of_study(experiment, batch_size, tell=tell)


class CheckpointFiles:
    """Implements `Checkpoints` by a file for each trial, written on a thread of its own.

    No error of a file stops the training. An error of writing is told once. If a checkpoint cannot be read, its trial
    starts again.

    Args:
        folder: The study's folder.
        every: Least time from one saving to the next, in seconds.
        tell: Given the messages for a person, from any thread.
    """

    def __init__(
        self, folder: Path, experiment: Experiment, batch_size: int, *, every: float, tell: Callable[[Notice], None]
    ) -> None:
        self._folder, self._experiment, self._batch_size = folder, experiment, batch_size
        self._every, self._tell = every, tell
        self._has_told = self._cannot_save = False
        self._asked = time.monotonic()
        self._next = self._asked + every
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._last: Future[None] = self._thread.submit(self._attempt, self._remove, UNFINISHED)

    def attach(self, trial: Trial) -> Trial:
        file = self._file(trial.plan)
        try:
            with file.open("rb") as opened:
                return replace(trial, checkpoint=decode(opened, owner=self._owner(trial.plan)))
        except FileNotFoundError:
            return trial
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self._tell(Notice(f"the checkpoint {file} is ignored, and its trial starts again: {reason}"))
            return trial

    def are_due(self, *, is_last: bool) -> bool:
        now = time.monotonic()
        is_time = now >= self._next and self._last.done()
        if self._cannot_save or not (is_time or is_last):
            return False
        self._asked, self._next = now, now + self._every
        return True

    def write(self, trial: Trial, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            self._cannot_save = True
            self._tell_once("its trainer cannot save trials")
            return
        now = time.monotonic()
        self._next = max(self._next, now + REST * (now - self._asked))
        content = self._file(trial.plan), self._owner(trial.plan), checkpoint
        self._last = self._thread.submit(self._attempt, self._write, *content)

    def delete(self, plan: TrialPlan) -> None:
        self._thread.submit(self._attempt, self._file(plan).unlink, True)

    def clear(self) -> None:
        self._thread.submit(self._attempt, self._remove, SUFFIX)

    def close(self) -> None:
        """Wait until everything is written."""
        self._thread.shutdown(wait=True)

    def _file(self, plan: TrialPlan) -> Path:
        return self._folder / f"point={plan.point}.repeat={plan.repeat}{SUFFIX}"

    def _owner(self, plan: TrialPlan) -> Owner:
        return {
            "experiment": self._experiment.digest,
            "batch_size": self._batch_size,
            "seed": plan.seed,
            "hyperparameters": dict(plan.hyperparameters),
        }

    def _attempt(self, action: Callable[..., None], *arguments: object) -> None:
        """On the thread: do something with files, and tell if that fails."""
        try:
            action(*arguments)
        except OSError as error:
            self._tell_once(f"{self._folder}: {error.strerror}")

    def _tell_once(self, reason: str) -> None:
        if not self._has_told:
            self._has_told = True
            self._tell(
                Notice(f"batch size {self._batch_size}: checkpoints cannot be kept ({reason}); training goes on")
            )

    def _write(self, file: Path, owner: Owner, checkpoint: Checkpoint) -> None:
        """Replace a file as a whole: whoever reads it finds the old one or the new one, whatever happens."""
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f"{file.name}.{uuid.uuid4().hex}{UNFINISHED}")
        try:
            with unfinished.open("xb") as written:
                written.writelines(encode(checkpoint, owner=owner))
                written.flush()
                os.fsync(written.fileno())
            unfinished.replace(file)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(file.parent)

    def _remove(self, suffix: str) -> None:
        """Delete the study's files of a kind, and folders that are empty then."""
        for each in self._folder.glob(f"*{suffix}"):
            each.unlink(missing_ok=True)
        with suppress(OSError):  # there is none, or something is left in it
            self._folder.rmdir()
            self._folder.parent.rmdir()


def _sync_folder(folder: Path) -> None:
    """Have the disk know a new name."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)

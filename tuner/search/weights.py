"""The trained weights of winners: of each, a trial that reported it is trained again, and its weights are taken."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuner.analysis.optimum.confirmation import confirm
from tuner.errors import ReportError, TunerError
from tuner.objective import GivesWeights, Trainer, measure_end
from tuner.records import ExperimentRecord, Role, StudyRecord, TrialRecord
from tuner.search.replay import train_again
from tuner.trial import Failure, Measurement, TrialSpec


@dataclass(frozen=True, slots=True)
class SavedWeights:
    """The weights of a winner.

    Attributes:
        round: The round of its study.
        file: Where they are: a file of `torch.save`, which `torch.load` reads with `weights_only=True`.
    """

    batch_size: int
    round: int
    file: Path


def save_weights(record: ExperimentRecord, folder: Path) -> Iterator[SavedWeights]:
    """The weights of every winner whose seeds have reported it, one study after the other.

    Of its reporting trials, the one of median score is trained again, up to the step of its score. What has been saved
    before is not trained again.

    Raises:
        TunerError: The training code does not give its weights, or a trial came out different.
        ReportError: A file cannot be written.
    """
    for study in record.studies:
        trial = _median_report(record, study)
        if trial is not None:
            file = folder / f"batch_size={study.batch_size}.round={trial.round}.trial={trial.number}.pt"
            if not file.exists():
                _write(file, _weights_of(record, study.batch_size, trial))
            yield SavedWeights(study.batch_size, trial.round, file)


def _median_report(record: ExperimentRecord, study: StudyRecord) -> TrialRecord | None:
    """The trial of median score among those that reported the winner and have a score; None if there is none."""
    settings = record.experiment.confirmation
    winner = confirm(study, settings)
    if winner is None:
        return None
    of_winner = (each for each in study.finished(Role.REPORT) if each.plan.point == winner.point)
    reports = sorted((each for each in of_winner if each.score < math.inf), key=lambda each: each.score)
    return reports[(len(reports) - 1) // 2] if reports else None


def _weights_of(record: ExperimentRecord, batch_size: int, trial: TrialRecord) -> bytes:
    """The weights of a trial at its end. Raises `TunerError`."""
    kept: list[_Keeping] = []

    def keeping(trainer: Trainer) -> Trainer:
        kept.append(_Keeping(trainer))
        return kept[0]

    assert trial.end is not None
    again = train_again(record.experiment, batch_size, trial, limit=trial.end.steps, within=keeping)
    if (again.outcome, again.steps) != (trial.end.outcome, trial.end.steps):
        message = f"batch size {batch_size}: trial {trial.number} took {trial.end.steps} steps and now {again.steps}"
        raise TunerError(f"{message}; save its weights on a machine like the one that trained it ({trial.plan.device})")
    if not kept[0].taken:
        kind = record.experiment.kind
        raise TunerError(f"{kind} does not give its weights to tuner; let the training code save them by itself")
    return kept[0].taken


@dataclass(slots=True)
class _Keeping:
    """Implements `tuner.objective.Trainer` by another trainer, and keeps the weights of the trial that ends."""

    inner: Trainer
    taken: bytes = field(default=b"", init=False)

    @property
    def lanes(self) -> int:
        return self.inner.lanes

    @property
    def device(self) -> str:
        return self.inner.device

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        self.inner.load(lane, trial, checkpoint)

    def save(self, lane: int) -> bytes:
        return self.inner.save(lane)

    def advance(self) -> Mapping[int, Sequence[Measurement | Failure]]:
        return self.inner.advance()

    def measure_end(self, lane: int, step: int) -> Mapping[str, float]:
        """See `MeasuresEnds`: asked once, where the trial ends."""
        if isinstance(self.inner, GivesWeights):
            try:
                self.taken = self.inner.weights(lane, step)
            except NotImplementedError:
                self.taken = b""
        return measure_end(self.inner, lane, step)

    def unload(self, lane: int) -> None:
        self.inner.unload(lane)

    def close(self) -> None:
        self.inner.close()


def _write(file: Path, weights: bytes) -> None:
    """Write a file as a whole. Raises `ReportError`."""
    unfinished = file.with_suffix(".partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(weights)
        unfinished.replace(file)
    except OSError as error:
        raise ReportError(f"{file} cannot be written: {error.strerror}") from error

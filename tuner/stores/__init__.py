"""The record of studies and measurements. Everything else (MLflow, dashboards, reports) is a view of it."""

from collections.abc import Collection, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from tuner.experiment import Experiment
from tuner.experiment.space import SearchSpace
from tuner.records import (
    EVERYTHING,
    Curve,
    ExperimentRecord,
    ExperimentState,
    Stage,
    StudyRecord,
    Timing,
    TrialPlan,
    TrialRecord,
    Wanted,
)
from tuner.stores.retries import Patience
from tuner.trial import TrialResult


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """A study that is to be searched.

    Attributes:
        is_free: Whether no worker had claimed it when this was read.
        waits_for: The batch sizes that it has to wait for before anyone can go on (`tuner.records.stages`).
    """

    experiment: str
    batch_size: int
    is_free: bool
    waits_for: tuple[int, ...] = ()


class Listener(Protocol):
    """Hears that something in the store may have changed: a study to be searched, or one to be let go.

    Attributes:
        poll_seconds: How often to look, though nothing was heard.
    """

    @property
    def poll_seconds(self) -> float: ...

    def wait(self, seconds: float) -> bool:
        """Whether something was heard; returns then, or after this time.

        Raises:
            StoreUnreachable: Nothing can be heard; listen anew.
        """
        ...


class Claim(Protocol):
    """The right to search one study, and the only way to write to it. Held by one worker at a time.

    Trials are those of the current round. Every write checks that the claim still stands, and raises `ClaimLost` if
    another worker has taken it since. While the store does not answer they try again, for ten minutes or as long as the
    claim's patience says, and then raise `StoreUnreachable`.
    """

    @property
    def experiment(self) -> Experiment:
        """What the study belongs to."""
        ...

    def check(self) -> None:
        """Raise `ClaimLost` if another worker has taken the study, `StoreUnreachable` if that cannot be known now."""
        ...

    def record(self) -> StudyRecord:
        """The study as stored now."""
        ...

    def start(self, plan: TrialPlan) -> int:
        """Store a trial as running; its number."""
        ...

    def finish(self, number: int, result: TrialResult, *, loss: float) -> TrialRecord:
        """Store how a trial ended with its whole curve; the trial as stored.

        The curve is stored before the trial counts as finished.
        """
        ...

    def fail(self, number: int, *, reason: str) -> None:
        """Store that a trial ended without a result. If the store does not answer, the next owner will say it."""
        ...

    def open_round(self, space: SearchSpace, *, second_look: bool = False) -> None:
        """Open the study's next round, in a wider space or for a second look; what follows belongs to it."""
        ...

    def reach(self, stage: Stage) -> None:
        """Store how far the study has come; studies that wait for it may go on."""
        ...

    def complete(self) -> None:
        """Store that search and confirmation of this study are done."""
        ...

    def set_aside(self, *, error: str) -> None:
        """Store that this study keeps failing, and why: nobody searches it until it is reopened."""
        ...


class Records(Protocol):
    """What a store holds, for those who only read it."""

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        ...

    def identity(self) -> str:
        """What tells this store from all others: made once, and kept in it. A copy of the database has the same."""
        ...

    def record(self, name: str) -> ExperimentRecord:
        """Everything stored of an experiment except the curves.

        Raises:
            StoreError: There is none of this name; says which there are.
        """
        ...

    def curves(self, name: str, batch_size: int, *, round: int = 1, wanted: Wanted = EVERYTHING) -> Mapping[int, Curve]:
        """The curves of a study's finished trials in one of its rounds, by trial number.

        Raises:
            StoreError: There is no such experiment, study or round; says which there are.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class StoredCurves:
    """Implements `CurvesOf` and `SelectsCurves` by the curves of one experiment in a store."""

    records: Records
    name: str

    def __call__(self, batch_size: int, round: int) -> Mapping[int, Curve]:
        """All of them."""
        return self.records.curves(self.name, batch_size, round=round)

    def some(self, batch_size: int, round: int, wanted: Wanted) -> Mapping[int, Curve]:
        """Those that are wanted."""
        return self.records.curves(self.name, batch_size, round=round, wanted=wanted)


def curves_in(records: Records, name: str) -> StoredCurves:
    """Reads the curves of one experiment."""
    return StoredCurves(records, name)


class Store(Records, Protocol):
    """A database of experiments. Safe to open from several processes at once."""

    @property
    def optuna_url(self) -> str:
        """What Optuna and optuna-dashboard connect to. May hold the password: never show it."""
        ...

    def submit(self, experiment: Experiment) -> Sequence[str]:
        """Store an experiment and open its studies. Does nothing if this very experiment is stored already.

        An experiment that was stored with the defaults of an earlier version keeps them. If the settings only add work
        to those that are stored, they replace them, and the studies are open again.

        Returns:
            What was added, in phrases: `search.points 50 -> 60`.

        Raises:
            StoreError: The name is taken by settings that do more than add work, says which differ; or the experiment
                was cancelled.
        """
        ...

    def names(self) -> Sequence[str]:
        """The experiments stored, oldest first."""
        ...

    def set_state(self, name: str, state: ExperimentState) -> None:
        """Open an experiment to workers, or close it to them. Workers hand back at once what is closed.

        Raises:
            StoreError: There is none of this name, or it was cancelled, which is for good.
        """
        ...

    def add_timing(self, name: str, timing: Timing) -> None:
        """Store how long a step takes; of the same batch size on the same device it counts instead of what is stored.

        Raises:
            StoreError: There is none of this name.
        """
        ...

    def reopen(self, name: str) -> None:
        """Let workers search again the studies of an experiment that were set aside.

        Trials of these studies that an error ended have no result any more: their points are trained again.
        """
        ...

    def forget_errors(self, name: str, batch_size: int, trials: Collection[tuple[int, int]]) -> None:
        """Let trials of a study that an error ended have no result any more: their points are trained again.

        Args:
            name: The experiment.
            batch_size: The study.
            trials: Round and number of each. One that no error ended keeps its result.

        Raises:
            StoreError: There is no such study.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete an experiment with its studies, trials and curves. Its name is free again.

        Raises:
            StoreError: There is none of this name, or a living worker has one of its studies.
        """
        ...

    def open_studies(self) -> Sequence[OpenStudy]:
        """The studies to be searched: not complete, not set aside, of open experiments.

        The oldest experiment comes first, in it the largest batch size: it takes longest, and workers should end
        together.
        """
        ...

    def claimed(self) -> Set[tuple[str, int]]:
        """The studies, by experiment and batch size, that a living worker has claimed now."""
        ...

    def listen(self) -> AbstractContextManager[Listener]:
        """Hear of changes by others, from now on."""
        ...

    def claim(
        self, name: str, batch_size: int, *, worker: str = "", device: str = "", patience: Patience | None = None
    ) -> AbstractContextManager[Claim | None]:
        """Take a study, or None if another worker has it. Released on leaving, and when the process dies.

        `worker` and `device` are kept with it for people, as `Holder` has them. `patience` is for its writes; without
        one they have a patience of their own.

        On taking and on leaving, trials left `RUNNING` are orphans: one whose result was stored is finished with it,
        the others fail with a reason.
        """
        ...

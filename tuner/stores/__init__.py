"""The record of studies and measurements. Everything else (MLflow, dashboards, reports) is a view of it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tuner.experiment import Experiment
from tuner.records import Curve, ExperimentRecord, StudyRecord, TrialPlan, TrialRecord
from tuner.space import SearchSpace
from tuner.trial import TrialResult


class Claim(Protocol):
    """The right to search one study, and the only way to write to it. Held by one worker at a time.

    Trials are those of the current round. Every write checks that the claim still stands and raises `StoreError` if
    another worker has taken it since.
    """

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
        """Store that a trial ended without a result."""
        ...

    def open_round(self, space: SearchSpace) -> None:
        """Open the study's next round in a wider space; what follows belongs to it."""
        ...

    def complete(self) -> None:
        """Store that search and confirmation of this study are done."""
        ...


class Store(Protocol):
    """A database of experiments. Safe to open from several processes at once."""

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        ...

    @property
    def optuna_url(self) -> str:
        """What Optuna and optuna-dashboard connect to. May hold the password: never show it."""
        ...

    def submit(self, experiment: Experiment) -> None:
        """Store an experiment and open its studies. Does nothing if this very experiment is stored already.

        Raises:
            StoreError: The name is taken by other settings; says which differ.
        """
        ...

    def names(self) -> Sequence[str]:
        """The experiments stored, oldest first."""
        ...

    def record(self, name: str) -> ExperimentRecord:
        """Everything known of an experiment, but for the curves.

        Raises:
            StoreError: There is none of this name; says which there are.
        """
        ...

    def curves(self, name: str, batch_size: int, *, round: int = 1) -> Mapping[int, Curve]:
        """The curves of a study's trials in one of its rounds, by trial number."""
        ...

    def claim(self, name: str, batch_size: int) -> AbstractContextManager[Claim | None]:
        """Take a study, or None if another worker has it. Released on leaving, and when the process dies.

        On taking and on leaving, trials left `RUNNING` are orphans: one whose result was stored is finished with it,
        the others fail with a reason.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...

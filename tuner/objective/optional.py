"""What a workload or its trainer may implement besides: each Protocol is one thing that not all can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tuner.objective.contract import Trainer
from tuner.trial import TrialSpec


@runtime_checkable
class OptionalHyperparameters(Protocol):
    """What an objective implements besides `Objective` if some hyperparameters have defaults.

    Attributes:
        optional: Those hyperparameters that the search space may leave out.
    """

    @property
    def optional(self) -> frozenset[str]: ...


@runtime_checkable
class DiscoveredObjective(Protocol):
    """What an objective implements besides `Objective` if some of its settings can be found by training for a moment.

    Attributes:
        undiscovered: The settings that can be found so, and that the experiment's file leaves out. Until they are
            found, `metrics` and `train_examples` may be wrong.
    """

    @property
    def undiscovered(self) -> frozenset[str]: ...

    def discover(self, trial: TrialSpec, batch_size: int, *, max_steps: int) -> Mapping[str, object]:
        """The settings in `undiscovered`, found by training a trial up to its first measurement.

        Raises:
            ConfigError: The trial fails, or measures something that does not tell.
        """
        ...


@runtime_checkable
class CheckedObjective(Protocol):
    """What an objective implements besides `Objective` if it can check code of the user's before it is trained."""

    def check(self) -> None:
        """Raises `ConfigError`, with paths from the objective's table, if his data or model are wrong."""
        ...


Bounds = Mapping[str, tuple[float, float]]
"""The least and the most of every hyperparameter, by name; equal if it is held, NaN if a value is no number."""


@runtime_checkable
class ChecksBounds(Protocol):
    """What an objective implements besides `Objective` if it cannot train at every value or batch size."""

    def check_bounds(self, bounds: Bounds, *, batch_size: int, max_steps: int) -> None:
        """Raises `ConfigError`, with paths from the file, if a study cannot be trained within `max_steps` steps."""
        ...


@runtime_checkable
class KnowsExactness(Protocol):
    """What an objective implements besides `Objective` if its trials may measure the same with every seed.

    Attributes:
        is_exact: Whether they do. One trial at a point is then all there is to know of it.
    """

    @property
    def is_exact(self) -> bool: ...


@runtime_checkable
class MeasuresEnds(Protocol):
    """What a trainer implements besides `Trainer` if it leaves metrics out that are wanted where a trial ends."""

    def measure_end(self, lane: int, step: int) -> Mapping[str, float]:
        """The metrics that the measurement at `step` left out, or took from a part of the examples.

        The last `advance` measured the lane at this step.

        Raises:
            OutOfMemory: The device is full, as in `Trainer.advance`.
        """
        ...


@runtime_checkable
class GivesWeights(Protocol):
    """What a trainer implements besides `Trainer` if trained weights can be taken from it."""

    def weights(self, lane: int, step: int) -> bytes:
        """The weights of a lane at `step`, which the last `advance` measured: a file of `torch.save` with tensors only.

        Raises:
            NotImplementedError: This model cannot do that.
        """
        ...


@runtime_checkable
class TimesSteps(Protocol):
    """What a trainer implements besides `Trainer` if it can train for a while without measuring."""

    def time_steps(self, steps: int) -> float:
        """Train every loaded lane for so many steps; the seconds until its device was done with them.

        Whatever the device was doing before is not counted. The trials are of no further use: unload them.

        Raises:
            NotImplementedError: This trainer cannot do that.
            OutOfMemory: The device is full, as in `Trainer.advance`.
        """
        ...


@runtime_checkable
class NamesDevice(Protocol):
    """What a trainer implements besides `Trainer` if it knows more of its device than how torch names it.

    Attributes:
        device_name: The model of an accelerator, for people: `NVIDIA H100 80GB HBM3`. Elsewhere what `device` is.
    """

    @property
    def device_name(self) -> str: ...


def measure_end(trainer: Trainer, lane: int, step: int) -> Mapping[str, float]:
    """What a trainer left out of a lane's measurement at `step`; nothing if it leaves nothing out."""
    return trainer.measure_end(lane, step) if isinstance(trainer, MeasuresEnds) else {}


@dataclass(frozen=True, slots=True)
class Prediction:
    """An optimum that was computed and not measured.

    Attributes:
        steps: Steps to target; None if the target is never reached.
        hyperparameters: Those that take the fewest steps; empty if the target is never reached.
        reason: Why it is never reached, for a person; else empty.
    """

    steps: int | None
    hyperparameters: Mapping[str, float]
    reason: str = ""


COMPUTED = frozenset({"nqm"})
"""The kinds of ours that are a `Predictor`: what a report says of them must not wait for training code to be loaded."""


@runtime_checkable
class Predictor(Protocol):
    """What an objective implements besides `Objective` if its optimum can be computed instead of measured."""

    def predict(self, batch_size: int, *, metric: str, below: float, bounds: Bounds) -> Prediction:
        """The fewest steps after which `metric` is strictly below a target.

        Args:
            batch_size: Examples a gradient is averaged over.
            metric: One of the objective's metrics.
            below: The target.
            bounds: Of every hyperparameter.

        Raises:
            ValueError: A bound or the target makes no sense.
        """
        ...

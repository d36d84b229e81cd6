"""The contract between the search and training code. Whatever trains a model implements the first two Protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tuner.trial import Measurement, TrialSpec


@runtime_checkable
class Objective(Protocol):
    """A workload: data set, model and optimizer, ready to train at any batch size.

    Attributes:
        train_examples: Size of the training set; the largest batch size.
        metrics: Names of everything a trial measures, `split/metric`; `train/loss` is always one.
        hyperparameters: Names the search space must supply: no more, no fewer.
    """

    @property
    def train_examples(self) -> int: ...
    @property
    def metrics(self) -> frozenset[str]: ...
    @property
    def hyperparameters(self) -> frozenset[str]: ...

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> "Trainer":
        """A trainer of `lanes` simultaneous trials. Raises `OutOfMemory` if the device cannot hold them."""
        ...


class Trainer(Protocol):
    """A fixed number of lanes, each training one trial at one batch size. It never decides when a trial ends.

    A trial's measurements depend on its `TrialSpec` alone, up to float rounding: not on its lane, its neighbours,
    or when it was loaded. Every lane is measured at the same steps, counted from its own start.

    Attributes:
        lanes: How many there are.
        device: Where they train, as torch names it: what `auto` came to.
    """

    @property
    def lanes(self) -> int: ...
    @property
    def device(self) -> str: ...

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        """Start a trial in a free lane, from its seed or from what `save` returned.

        Any exception says that it cannot go on from these bytes, but `OutOfMemory`; the lane is then still free. It
        must run no code that they carry: others may write to the folder they come from.
        """
        ...

    def save(self, lane: int) -> bytes:
        """The state of the trial in a lane, for `load` to go on from with identical results, in any trainer's lane.

        Raises:
            NotImplementedError: This trainer cannot do that; its trials start again when they are interrupted.
        """
        ...

    def advance(self) -> Mapping[int, Sequence[Measurement]]:
        """Train every loaded lane for a chunk of steps; what each measured on the way, oldest first.

        Lanes come in an order that depends on nothing but what was loaded and unloaded: a search is the same again.

        Raises:
            OutOfMemory: The device is full. The trainer is then unusable; its trials start again in a smaller one.
        """
        ...

    def unload(self, lane: int) -> None:
        """Free a lane."""
        ...

    def close(self) -> None:
        """Release the device."""
        ...


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


@runtime_checkable
class Predictor(Protocol):
    """What an objective implements besides `Objective` if its optimum can be computed instead of measured."""

    def predict(
        self, batch_size: int, *, metric: str, below: float, bounds: Mapping[str, tuple[float, float]]
    ) -> Prediction:
        """The fewest steps after which `metric` is strictly below a target.

        Args:
            batch_size: Examples a gradient is averaged over.
            metric: One of the objective's metrics.
            below: The target.
            bounds: The least and the most of every hyperparameter; equal if it is held.

        Raises:
            ValueError: A bound or the target makes no sense.
        """
        ...

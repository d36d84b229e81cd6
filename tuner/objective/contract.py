"""What every workload implements: `Objective`, and the `Trainer` that it makes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tuner.trial import Failure, Measurement, TrialSpec


@dataclass(frozen=True, slots=True)
class Target:
    """A value that a metric has to pass: to be strictly below, or strictly above.

    Raises:
        ValueError: The value is not positive and finite.
    """

    value: float
    above: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise ValueError(f"{self.phrase.replace(' ', ' = ')} must be a positive number")

    @property
    def phrase(self) -> str:
        """The target, for a person: `below 0.03`."""
        return f"{'above' if self.above else 'below'} {self.value:g}"

    @property
    def symbol(self) -> str:
        """The target, in short: `< 0.03`."""
        return f"{'>' if self.above else '<'} {self.value:g}"

    def is_met(self, value: float) -> bool:
        """Whether a metric of this value passes the target."""
        return value > self.value if self.above else value < self.value

    def distance(self, value: float) -> float:
        """How far a metric is from its ideal: a number that falls as the metric gets better.

        It is the metric itself if the target lies below. If the target lies above, it is what the metric lacks to 1, as
        the error is what the accuracy lacks; for a target from 1 on it is one over the metric.
        """
        if not self.above:
            return value
        if self.value < 1:
            return 1 - value
        return 1 / value if value > 0 else math.inf


@dataclass(frozen=True, slots=True)
class MeasuringPlan:
    """What an experiment asks of every measurement. The default asks for everything.

    Attributes:
        metric: The goal's metric. A measurement of it may end as soon as the next target is certainly not met.
        targets: The targets, the weakest first and the goal's own last. Empty if measurements never end early.
        test_steps: Test metrics are measured at the first measurement at or after each of these steps; None for always.
        max_steps: The budget of a trial: none is trained for longer than the first measurement at or after this step.
            None if it is not known.
    """

    metric: str = ""
    targets: tuple[Target, ...] = ()
    test_steps: tuple[int, ...] | None = None
    max_steps: int | None = None

    def wants_test(self, before: int, step: int) -> bool:
        """Whether test metrics are measured at `step`, if the last measurement was at the step `before`."""
        return self.test_steps is None or any(before < each <= step for each in self.test_steps)

    def reached(self, value: float, already: int = 0) -> int:
        """How many targets have been met, if `already` of them had been and the metric now has this value."""
        return max(already, sum(each.is_met(value) for each in self.targets))


@runtime_checkable
class Objective(Protocol):
    """A workload: data set, model and optimizer, ready to train at any batch size.

    Attributes:
        train_examples: Size of the training set; the largest batch size.
        metrics: Names of everything a trial measures, `split/metric`. `train/loss` tells a trial that diverges; without
            it, only a metric of the goal that is not finite does.
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

    def advance(self) -> Mapping[int, Sequence[Measurement | Failure]]:
        """Train every loaded lane for a chunk of steps; what each measured on the way, oldest first.

        Lanes come in an order that depends on nothing but what was loaded and unloaded: a search is the same again.
        A trial whose own code raised ends with a `Failure`; its lane is unloaded then, like any other.

        Raises:
            OutOfMemory: The device is full. The trainer is then unusable; its trials start again in a smaller one.
            Exception: Any other says that some trial failed. The trainer is then unusable too.
        """
        ...

    def unload(self, lane: int) -> None:
        """Free a lane."""
        ...

    def close(self) -> None:
        """Release the device."""
        ...


@runtime_checkable
class PlannedObjective(Protocol):
    """What an objective implements besides `Objective` if its trainers measure no more than they are asked for.

    Attributes:
        certain_early: Metrics whose measurement may end early: means over a split of terms that are never negative.
    """

    @property
    def certain_early(self) -> frozenset[str]: ...

    def planned_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """A trainer as `Objective.trainer` makes it, which measures as planned."""
        ...


def make_trainer(objective: Objective, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
    """A trainer that measures as planned, if the objective can do that, or else everything."""
    if isinstance(objective, PlannedObjective):
        return objective.planned_trainer(batch_size, lanes=lanes, device=device, plan=plan)
    return objective.trainer(batch_size, lanes=lanes, device=device)

"""Lanes at the steps at which they are measured. The parameters are kept until the end of a chunk of training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from objectives.models import Network
from objectives.training.measuring.grid import Progress
from objectives.training.measuring.tally import Losses
from tuner.objective import MeasuringPlan
from tuner.trial import Measurement

KEPT = 2**28
"""Parameters of all lanes that are kept at once, at most, unless those of one step are more: 1 GiB."""


class Measured(Protocol):
    """A measurement of one lane.

    Attributes:
        is_whole: Whether all validation examples were measured.
        partial: How many examples each of the values rests on, if these are not all.
        recall: What the next measurement of the lane is told.
    """

    @property
    def is_whole(self) -> bool: ...
    @property
    def partial(self) -> dict[str, int]: ...
    @property
    def recall(self) -> Losses: ...

    def values(self) -> dict[str, float]:
        """The metrics."""
        ...


class Evaluating(Protocol):
    """What measures lanes: `Evaluation` or `WholeEvaluation`.

    Attributes:
        plan: What measurements are asked for.
    """

    plan: MeasuringPlan

    def initial_loss(self, network: Network, parameters: Tensor) -> Tensor:
        """The loss of parameters `[parameter]` on training examples, before they are trained."""
        ...

    def recall(self) -> Losses:
        """What the first measurement of a lane is told."""
        ...

    def measured(
        self, network: Network, parameters: Tensor, recalls: Sequence[Losses], reached: Sequence[int]
    ) -> Sequence[Measured]:
        """Measure lanes on validation examples.

        Args:
            network: Computes the outputs.
            parameters: `[lane, parameter]`.
            recalls: Of each lane.
            reached: How many of the plan's targets each lane has met.
        """
        ...

    def test(self, network: Network, parameters: Tensor) -> list[dict[str, float]]:
        """The test metrics of each lane."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Some lanes at a measurement.

    Attributes:
        steps: The step of each lane.
        before: The step of the measurement before it.
        parameters: A copy, `[lane, parameter]`.
        train_losses: The mean since the measurement before, or the initial loss at the first, `[lane]`, on the device.
    """

    lanes: Sequence[int]
    steps: Sequence[int]
    before: Sequence[int]
    parameters: Tensor
    train_losses: Tensor


class Snapshots:
    """What the lanes measured in the last chunk of training.

    Attributes:
        taken: The snapshots of this chunk, oldest first.
    """

    def __init__(self, evaluation: Evaluating) -> None:
        self._evaluation, self._plan = evaluation, evaluation.plan
        self._recalls: dict[int, Losses] = {}
        self._whole: set[tuple[int, int]] = set()
        """Lanes and steps of this chunk that were measured on all validation examples."""
        self.taken: list[Snapshot] = []

    def forget(self, lane: int) -> None:
        """Forget what a lane got wrong, because it gets another trial."""
        self._recalls.pop(lane, None)

    def measure(self, network: Network, progress: Mapping[int, Progress]) -> Mapping[int, Sequence[Measurement]]:
        """The measurements of each lane, oldest first. Notes in `progress` which targets it has met.

        What decides when a measurement ends is the target that the lane had not met before the chunk.
        """
        if not self.taken:
            return {}
        rows = [row for each in self.taken for row in zip(each.lanes, each.before, each.steps, strict=True)]
        parameters = _joined([each.parameters for each in self.taken])
        recalls, reached = zip(*((self._recall(lane), progress[lane].reached) for lane, _, _ in rows), strict=True)
        tallies = self._evaluation.measured(network, parameters, recalls, reached)
        tests = self._tests(network, parameters, [self._plan.wants_test(before, step) for _, before, step in rows])
        self._whole = {(lane, step) for (lane, _, step), each in zip(rows, tallies, strict=True) if each.is_whole}
        losses = _joined([each.train_losses for each in self.taken]).tolist()
        found: dict[int, list[Measurement]] = {}
        for (lane, _, step), loss, tally, test in zip(rows, losses, tallies, tests, strict=True):
            measured = Measurement(step, {"train/loss": loss, **tally.values(), **test}, tally.partial)
            found.setdefault(lane, []).append(measured)
            self._recalls[lane] = tally.recall
            if (value := measured.whole(self._plan.metric)) is not None:
                progress[lane].reached = self._plan.reached(value, progress[lane].reached)
        return found

    def measure_end(self, network: Network, lane: int, step: int) -> Mapping[str, float]:
        """The metrics of a lane at a step of this chunk, over all validation and test examples, that are not known."""
        taken, row = self._find(lane, step)
        parameters = taken.parameters[row : row + 1]
        has_test = self._plan.wants_test(taken.before[row], step)
        test = {} if has_test else self._evaluation.test(network, parameters)[0]
        if (lane, step) in self._whole:
            return test
        (tally,) = self._evaluation.measured(
            network, parameters, [self._evaluation.recall()], [len(self._plan.targets)]
        )
        return {**tally.values(), **test}

    def parameters(self, lane: int, step: int) -> Tensor:
        """The parameters of a lane at a step of this chunk, `[parameter]`."""
        taken, row = self._find(lane, step)
        return taken.parameters[row]

    def _find(self, lane: int, step: int) -> tuple[Snapshot, int]:
        """The snapshot of a lane at a step, and its row there. Raises `ValueError`."""
        for each in self.taken:
            if (lane, step) in zip(each.lanes, each.steps, strict=True):
                return each, each.lanes.index(lane)
        raise ValueError(f"lane {lane} was not measured at step {step} in the last chunk")

    def _recall(self, lane: int) -> Losses:
        return self._recalls[lane] if lane in self._recalls else self._evaluation.recall()

    def _tests(self, network: Network, parameters: Tensor, wanted: Sequence[bool]) -> Iterator[Mapping[str, float]]:
        """The test metrics of the rows for which they are wanted, and nothing for the others."""
        rows = torch.tensor([row for row, each in enumerate(wanted) if each], device=parameters.device)
        found = iter(self._evaluation.test(network, parameters[rows]) if len(rows) else [])
        return (next(found) if each else {} for each in wanted)


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors as one; no copy of a single one."""
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))

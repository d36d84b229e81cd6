"""Measuring any metrics: each of them from the outputs and the targets of a whole split."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.metrics import Metric, loss_as_metric
from objectives.models import Network
from objectives.training.criteria import Criteria
from objectives.training.devices.memory import moved
from objectives.training.measuring.evaluation import BLOCK, TEST_BLOCK, initial_examples
from objectives.training.measuring.tally import Losses
from tuner.errors import ContractError
from tuner.objective import MeasuringPlan


@dataclass(frozen=True, slots=True)
class Whole:
    """A measurement of one lane on all validation examples. Implements `snapshots.Measured`."""

    metrics: dict[str, float]
    is_whole: bool = True
    partial: dict[str, int] = field(default_factory=dict)
    recall: Losses = field(default_factory=lambda: np.zeros(0))

    def values(self) -> dict[str, float]:
        return self.metrics


class WholeEvaluation:
    """Implements `snapshots.Evaluating` for any loss and metrics, by measuring all examples each time.

    Args:
        criteria: What is minimised and measured. The loss on validation examples is always measured.
        lanes: Lanes that are measured at once, at most.
    """

    def __init__(
        self,
        splits: Splits,
        plan: MeasuringPlan,
        criteria: Criteria,
        *,
        lanes: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.plan, self._loss, self._metrics = plan, criteria.loss, criteria.metrics
        self._lanes, self._device, self._dtype = lanes, device, dtype
        self._initial, self._validation, self._test = (
            Split(moved(each.inputs, device, dtype), moved(each.labels, device, dtype))
            for each in (initial_examples(splits.train), splits.validation, splits.test)
        )
        self._with_loss = tuple({each.name: each for each in (loss_as_metric(self._loss), *self._metrics)}.values())

    def initial_loss(self, network: Network, parameters: Tensor) -> Tensor:
        """As `Evaluation.initial_loss`."""
        row = parameters.to(self._device, self._dtype).unsqueeze(0)
        outputs = network.logits(row, self._initial.inputs)[0]
        return self._loss.function(outputs, self._initial.labels).double()

    def recall(self) -> Losses:
        """Nothing: whatever a lane got wrong before, it is measured on all examples."""
        return np.zeros(0)

    def measured(
        self,
        network: Network,
        parameters: Tensor,
        recalls: Sequence[Losses],  # noqa: ARG002 - needed to end early
        reached: Sequence[int],  # noqa: ARG002 - likewise
    ) -> Sequence[Whole]:
        found = self._over(self._validation, "validation", self._with_loss, network, parameters)
        return [Whole(each) for each in found]

    def test(self, network: Network, parameters: Tensor) -> list[dict[str, float]]:
        """The test metrics of each lane."""
        return self._over(self._test, "test", self._metrics, network, parameters)

    def _over(
        self, split: Split, name: str, metrics: Sequence[Metric], network: Network, parameters: Tensor
    ) -> list[dict[str, float]]:
        """The metrics of each lane, over all examples of a split."""
        found: list[dict[str, float]] = []
        targets = split.labels.cpu()
        size = BLOCK if self._device.type == "cpu" else TEST_BLOCK
        for rows in torch.split(parameters, self._lanes):
            outputs = torch.cat([network.logits(rows, part) for part in torch.split(split.inputs, size)], dim=1).cpu()
            found += [{f"{name}/{each.name}": value(each, lane, targets) for each in metrics} for lane in outputs]
        return found


def value(metric: Metric, outputs: Tensor, targets: Tensor) -> float:
    """What a metric is for outputs `[example, output]` and targets.

    Raises:
        ContractError: It is not a number.
    """
    found: object = metric.function(outputs, targets)
    try:
        return float(found)  # type: ignore[arg-type]  # it may be anything
    except (TypeError, ValueError, RuntimeError):
        raise ContractError(f"{metric.name} is {found!r}; a metric is one number for a whole split") from None

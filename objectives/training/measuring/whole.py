"""Measuring any metrics: each of them from the outputs and the targets of a whole split."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from objectives.data import Splits
from objectives.metrics import Metric, loss_as_metric
from objectives.models import Network
from objectives.training.criteria import Criteria
from objectives.training.inputs.examples import Examples
from objectives.training.measuring.evaluation import BLOCK, TEST_BLOCK, Evaluation, block_of, initial_examples
from objectives.training.measuring.snapshots import Evaluating
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
            Examples(each, splits, device=device, dtype=dtype)
            for each in (initial_examples(splits.train), splits.validation, splits.test)
        )
        self._with_loss = tuple({each.name: each for each in (loss_as_metric(self._loss), *self._metrics)}.values())

    def initial_loss(self, network: Network, parameters: Tensor) -> Tensor:
        """As `Evaluation.initial_loss`."""
        row = parameters.to(self._device, self._dtype).unsqueeze(0)
        outputs = _outputs(network, row, self._initial, BLOCK)[0]
        return self._loss.function(outputs, self._initial.targets(slice(None))).double()

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
        self, split: Examples, name: str, metrics: Sequence[Metric], network: Network, parameters: Tensor
    ) -> list[dict[str, float]]:
        """The metrics of each lane, over all examples of a split."""
        found: list[dict[str, float]] = []
        targets = split.labels.cpu()
        size = block_of(split.labels, BLOCK if self._device.type == "cpu" else TEST_BLOCK)
        # Outputs for all positions of a split of texts are many, so that there is room for those of a single lane.
        at_once = self._lanes if targets.ndim == 1 or targets.is_floating_point() else 1
        for rows in torch.split(parameters, at_once):
            outputs = _outputs(network, rows, split, size).cpu()
            found += [{f"{name}/{each.name}": value(each, lane, targets) for each in metrics} for lane in outputs]
        return found


def _outputs(network: Network, parameters: Tensor, examples: Examples, size: int) -> Tensor:
    """The outputs `[lane, example, output]` for all examples, `size` at a time at most."""
    blocks = examples.blocks(size)
    return torch.cat([network.logits(parameters, examples.inputs(each)) for each in blocks], dim=1)


def value(metric: Metric, outputs: Tensor, targets: Tensor) -> float:
    """What a metric is for outputs `[example, ...]` and targets.

    Raises:
        ContractError: It is not a number.
    """
    found: object = metric.function(outputs, targets)
    try:
        return float(found)  # type: ignore[arg-type]  # it may be anything
    except (TypeError, ValueError, RuntimeError):
        raise ContractError(f"{metric.name} is {found!r}; a metric is one number for a whole split") from None


def evaluation_for(
    splits: Splits, plan: MeasuringPlan, criteria: Criteria, *, lanes: int, device: torch.device, dtype: torch.dtype
) -> Evaluating:
    """What measures the lanes: no longer than the plan needs, if the metrics allow it."""
    if criteria.ends_early:
        return Evaluation(splits, plan, lanes=lanes, device=device, dtype=dtype, test_loss=criteria.measures_loss)
    return WholeEvaluation(splits, plan, criteria, lanes=lanes, device=device, dtype=dtype)

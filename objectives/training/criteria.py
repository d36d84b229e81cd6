"""What a trial minimises and what it measures."""

from dataclasses import dataclass

from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.metrics import Metric
from objectives.metrics.accuracy import ACCURACY
from objectives.metrics.error import ERROR

ERRORS = (ERROR, ACCURACY)
"""Metrics that are one measurement: which of them it is called after depends on the goal."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is minimised and what is measured.

    Attributes:
        loss: What is minimised. It is measured on training and validation examples.
        metrics: What is measured on validation and test examples.
    """

    loss: Loss = CROSS_ENTROPY
    metrics: tuple[Metric, ...] = ERRORS

    @property
    def ends_early(self) -> bool:
        """Whether a measurement may end before all examples: with cross entropy, and no metrics but the errors."""
        return self.loss == CROSS_ENTROPY and set(self.metrics) <= set(ERRORS)

    @property
    def names(self) -> frozenset[str]:
        """Everything that a trial measures, `split/metric`."""
        metrics = ERRORS if self.ends_early else self.metrics
        measured = {f"{split}/{each.name}" for each in metrics for split in ("validation", "test")}
        return frozenset({"train/loss", "validation/loss"} | measured)

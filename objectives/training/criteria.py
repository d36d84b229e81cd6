"""What a trial minimises and what it measures."""

from dataclasses import dataclass

from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.next_token import NEXT_TOKEN
from objectives.metrics import Metric, loss_as_metric
from objectives.metrics.accuracy import ACCURACY
from objectives.metrics.error import ERROR
from objectives.models.regularisation import Smoothing

ERRORS = (ERROR, ACCURACY)
"""Metrics that are one measurement: which of them it is called after depends on the goal."""
EARLY = {CROSS_ENTROPY: ERRORS, NEXT_TOKEN: (*ERRORS, loss_as_metric(NEXT_TOKEN))}
"""Losses whose measurement may end early, and the metrics that may be measured with them then."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is minimised and what is measured.

    Attributes:
        loss: What is minimised. It is measured on training and validation examples.
        metrics: What is measured on validation and test examples.
        smoothing: What label smoothing means, if trials name it. No loss that is measured is smoothed.
    """

    loss: Loss = CROSS_ENTROPY
    metrics: tuple[Metric, ...] = ERRORS
    smoothing: Smoothing = Smoothing.PAPER

    @property
    def ends_early(self) -> bool:
        """Whether a measurement may end before all examples: with cross entropy, and no metrics but the errors.

        With cross entropy of the next token, the loss may be measured, too.
        """
        return self.loss in EARLY and set(self.metrics) <= set(EARLY[self.loss])

    @property
    def measures_loss(self) -> bool:
        """Whether the loss is measured on test examples, too."""
        return loss_as_metric(self.loss) in self.metrics

    @property
    def names(self) -> frozenset[str]:
        """Everything that a trial measures, `split/metric`."""
        metrics = (*ERRORS, *self.metrics) if self.ends_early else self.metrics
        measured = {f"{split}/{each.name}" for each in metrics for split in ("validation", "test")}
        return frozenset({"train/loss", "validation/loss"} | measured)

"""How far outputs are from their targets, on average over the examples and the numbers of each."""

from torch.nn import functional

from objectives.losses import Targets
from objectives.metrics import Metric

__all__ = ["MEAN_ABSOLUTE_ERROR"]

MEAN_ABSOLUTE_ERROR = Metric("mean_absolute_error", functional.l1_loss, frozenset({Targets.NUMBERS}))

"""The fraction of examples, of tokens, or of yes-or-no outputs, that are predicted correctly."""

from torch import Tensor

from objectives.metrics import Metric
from objectives.metrics.error import ERROR, error

__all__ = ["ACCURACY"]


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """What the error lacks to 1."""
    return 1 - error(outputs, targets)


ACCURACY = Metric("accuracy", accuracy, ERROR.targets)

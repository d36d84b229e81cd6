"""The fraction of examples, or of tokens, whose class is not among the five largest outputs."""

from torch import Tensor

from objectives.losses import Targets
from objectives.metrics import Metric
from objectives.metrics.predictions import missed

__all__ = ["TOP5_ERROR"]


def top5_error(outputs: Tensor, targets: Tensor) -> float:
    """The fraction that is missed.

    >>> import torch
    >>> top5_error(torch.arange(7.0).expand(7, 7), torch.arange(7)) == 2 / 7
    True
    """
    wrong = missed(outputs, targets, among=5)
    return int(wrong.sum()) / wrong.numel()


TOP5_ERROR = Metric("top5_error", top5_error, frozenset({Targets.CLASSES, Targets.TOKENS}))

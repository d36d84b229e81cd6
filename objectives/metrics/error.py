"""The fraction of examples, of tokens, or of yes-or-no outputs, that are predicted wrongly."""

from torch import Tensor

from objectives.losses import Targets
from objectives.metrics import Metric
from objectives.metrics.predictions import missed, on_the_wrong_side

__all__ = ["ERROR"]


def error(outputs: Tensor, targets: Tensor) -> float:
    """The fraction that is wrong.

    >>> import torch
    >>> error(torch.tensor([[0.0, 2.0], [2.0, 0.0]]), torch.tensor([1, 1]))
    0.5
    >>> error(torch.tensor([[[0.0, 2.0], [2.0, 0.0]]]), torch.tensor([[1, 1]]))
    0.5
    >>> error(torch.tensor([[2.0], [-1.0], [-3.0], [3.0]]), torch.tensor([[1.0], [1.0], [0.0], [1.0]]))
    0.25
    """
    wrong = on_the_wrong_side(outputs, targets) if targets.is_floating_point() else missed(outputs, targets)
    return int(wrong.sum()) / wrong.numel()


ERROR = Metric("error", error, frozenset({Targets.CLASSES, Targets.TOKENS, Targets.SHARES}))

"""The F1 score of each class, averaged with equal weights: rare classes count as much as frequent ones."""

from torch import Tensor
from torch.nn import functional

from objectives.losses import Targets
from objectives.metrics import Metric
from objectives.metrics.predictions import predicted

__all__ = ["MACRO_F1"]


def macro_f1(outputs: Tensor, targets: Tensor) -> float:
    """The mean over the classes that occur or are predicted of `2 hits / (examples + predictions)`.

    >>> import torch
    >>> macro_f1(torch.eye(3), torch.tensor([0, 1, 1]))  # F1 is 1, 2/3 and 0
    0.5555555555555555
    """
    classes = outputs.shape[1]
    guesses = predicted(outputs) + 1  # 0 is none
    guessed = functional.one_hot(guesses, classes + 1)[:, 1:]
    true = functional.one_hot(targets, classes)
    hits, all_of_them = (guessed * true).sum(0).double(), (guessed.sum(0) + true.sum(0)).double()
    return float((2 * hits / all_of_them)[all_of_them > 0].mean())


MACRO_F1 = Metric("macro_f1", macro_f1, frozenset({Targets.CLASSES}))

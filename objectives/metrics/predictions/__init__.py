"""What outputs predict, which several metrics count."""

import torch
from torch import Tensor


def missed(outputs: Tensor, classes: Tensor, *, among: int = 1) -> Tensor:
    """Whether each example's class is not among those of the largest outputs, in the shape of the classes.

    Outputs that are equal to that of the class come before it. If an output is not finite, the class is missed.

    >>> missed(torch.tensor([[0.0, 2.0, 1.0], [1.0, 1.0, 0.0]]), torch.tensor([2, 0]))
    tensor([True, True])
    >>> missed(torch.tensor([[0.0, 2.0, 1.0], [1.0, 1.0, 0.0]]), torch.tensor([2, 0]), among=2)
    tensor([False, False])
    """
    own = outputs.gather(-1, classes.unsqueeze(-1))
    return ((outputs >= own).sum(-1) > among) | ~outputs.isfinite().all(-1)


def predicted(outputs: Tensor) -> Tensor:
    """The class of the single largest output, `[example]`; -1 if there is none, or an output is not finite.

    >>> predicted(torch.tensor([[0.0, 2.0], [1.0, 1.0], [torch.inf, 0.0]]))
    tensor([ 1, -1, -1])
    """
    chosen = outputs.argmax(1)
    return chosen.masked_fill(missed(outputs, chosen), -1)


def on_the_wrong_side(outputs: Tensor, shares: Tensor) -> Tensor:
    """Whether each output, as a log-odds, says another answer than its target, `[example, output]`.

    An output of 0 or one that is not finite says neither.

    >>> on_the_wrong_side(torch.tensor([[2.0, -2.0, 0.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
    tensor([[False,  True,  True]])
    """
    return torch.where(shares > 0.5, outputs <= 0, outputs >= 0) | ~outputs.isfinite()

"""Softmax cross entropy of the next token, over the examples and the positions of each, in nats."""

from torch import Tensor
from torch.nn import functional

from objectives.losses import Loss, Targets
from objectives.losses.cross_entropy import CLASSES

__all__ = ["NEXT_TOKEN"]


def next_token(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean negative log-probability of a token.

    Args:
        outputs: `[example, position, class]`.
        targets: `[example, position]`.
    """
    return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())


NEXT_TOKEN = Loss("next_token", next_token, Targets.TOKENS, ("loss", "error"), smooths=True, likelihood=CLASSES)

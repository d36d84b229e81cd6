"""What a network makes of each example: how wrong it is, and its loss."""

from enum import IntEnum

import torch
from torch import Tensor

from objectives.models import Network

CLEAR = 0.01
"""An example is clearly wrong if another output is larger than its label's by so much, absolutely and relatively."""

Found = tuple[Tensor, Tensor]
"""The level of each label, int8, and the loss of each example, `[lane, example]`.

Levels are `[lane, example]`, or `[lane, example, position]` for tokens."""


class Level(IntEnum):
    """How wrong a prediction is. Arithmetic in another order cannot make a clearly wrong one right."""

    RIGHT = 0
    WRONG = 1
    CLEARLY_WRONG = 2


def terms(network: Network, parameters: Tensor, inputs: Tensor, labels: Tensor) -> Found:
    """The level of each label (`Level`), and the loss of each example: for tokens, the mean over its positions.

    A label is predicted wrongly if its output is not the single largest output, or if an output is not finite.

    Args:
        network: Computes the outputs.
        parameters: `[lane, parameter]`.
        inputs: `[example, feature]`, or `[lane, example, feature]` if each lane has its own.
        labels: `[example]` or `[lane, example]`; `[example, position]` or `[lane, example, position]` for tokens.
    """
    outputs = network.logits(parameters, inputs)
    shape = outputs.shape[:-1]
    # Reductions over classes are several times faster if the classes are not the innermost dimension.
    logits = outputs.flatten(1, -2).transpose(1, 2).contiguous()
    index = labels.expand(shape).flatten(1).unsqueeze(1)
    labelled = logits.gather(1, index)
    losses = logits.logsumexp(1) - labelled.squeeze(1)
    finite = logits.sum(1).isfinite()
    lead = (logits.scatter(1, index, -torch.inf).amax(1, keepdim=True) - labelled).squeeze(1)
    clearly = lead > CLEAR * (1 + labelled.squeeze(1).abs())
    levels = (lead >= 0).to(torch.int8) + clearly.to(torch.int8)
    levels = levels.masked_fill(~finite, Level.CLEARLY_WRONG).view(shape)
    return levels, losses.view(shape).mean(2) if len(shape) == 3 else losses

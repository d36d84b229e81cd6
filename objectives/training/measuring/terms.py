"""What a network makes of each example: how wrong it is, and its loss."""

from enum import IntEnum

import torch
from torch import Tensor

from objectives.models import Network

CLEAR = 0.01
"""An example is clearly wrong if another output is larger than its label's by so much, absolutely and relatively."""

Found = tuple[Tensor, Tensor]
"""The level of each example, int8, and its loss, both `[lane, example]`."""


class Level(IntEnum):
    """How wrong an example is. Arithmetic in another order cannot make a clearly wrong example right."""

    RIGHT = 0
    WRONG = 1
    CLEARLY_WRONG = 2


def terms(network: Network, parameters: Tensor, inputs: Tensor, labels: Tensor) -> Found:
    """The level of each example (`Level`), and its cross entropy, both `[lane, example]`.

    An example is wrong if its label's output is not the single largest output, or if an output is not finite.

    Args:
        network: Computes the outputs.
        parameters: `[lane, parameter]`.
        inputs: `[example, feature]`, or `[lane, example, feature]` if each lane has its own.
        labels: `[example]` or `[lane, example]`.
    """
    # Reductions over classes are several times faster if the classes are not the innermost dimension.
    logits = network.logits(parameters, inputs).transpose(1, 2).contiguous()
    index = labels.expand(len(logits), labels.shape[-1]).unsqueeze(1)
    labelled = logits.gather(1, index)
    losses = logits.logsumexp(1) - labelled.squeeze(1)
    finite = logits.sum(1).isfinite()
    lead = (logits.scatter(1, index, -torch.inf).amax(1, keepdim=True) - labelled).squeeze(1)
    clearly = lead > CLEAR * (1 + labelled.squeeze(1).abs())
    levels = (lead >= 0).to(torch.int8) + clearly.to(torch.int8)
    return levels.masked_fill(~finite, Level.CLEARLY_WRONG), losses

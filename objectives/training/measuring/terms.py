"""What a network makes of each example: whether it is wrong, and its loss."""

import torch
from torch import Tensor

from objectives.models import Network

Found = tuple[Tensor, Tensor]
"""Whether each example is wrong, and its loss, both `[lane, example]`."""


def terms(network: Network, parameters: Tensor, inputs: Tensor, labels: Tensor) -> Found:
    """Whether each example is wrong, and its cross entropy, both `[lane, example]`.

    An example is wrong if its label's output is not the single largest output, or if an output is not finite.

    Args:
        network: Computes the outputs.
        parameters: `[lane, parameter]`.
        inputs: `[example, feature]`, or `[lane, example, feature]` if each lane has its own.
        labels: `[example]` or `[lane, example]`.
    """
    # Reductions over classes are several times faster if the classes are not the innermost dimension.
    logits = network.logits(parameters, inputs).transpose(1, 2).contiguous()
    labelled = logits.gather(1, labels.expand(len(logits), labels.shape[-1]).unsqueeze(1))
    as_large = torch.ge(logits, labelled, out=torch.empty_like(logits)).sum(1)
    wrong = (as_large != 1) | ~logits.sum(1).isfinite()
    return wrong, logits.logsumexp(1) - labelled.squeeze(1)

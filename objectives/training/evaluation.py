"""Measuring lanes on data they are not trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor

from objectives.data import Splits
from objectives.models import Network

METRICS = ("train/loss", "validation/loss", "validation/error", "test/error")
"""The metrics of a trial, in the order of the columns of `Reading.values`."""


class Evaluation:
    """The validation and test examples, kept on the device."""

    def __init__(self, splits: Splits, *, device: torch.device, dtype: torch.dtype) -> None:
        held_out = (splits.validation, splits.test)
        self._sizes = [len(split) for split in held_out]
        self._inputs = torch.cat([split.inputs for split in held_out]).to(device, dtype)
        self._labels = torch.cat([split.labels for split in held_out]).to(device)

    def measure(self, network: Network, parameters: Tensor) -> Sequence[Tensor]:
        """Validation loss, validation error and test error of some lanes, each `[lane]`.

        The error is the fraction of examples for which the label's output is not the single largest output, or for
        which an output is not finite.

        Args:
            network: Computes the outputs.
            parameters: `[lane, parameter]`.
        """
        # Reductions over classes are several times faster if the classes are not the innermost dimension.
        logits = network.logits(parameters, self._inputs).transpose(1, 2).contiguous()
        labelled = logits.gather(1, self._labels.expand(len(logits), 1, -1))
        as_large = torch.ge(logits, labelled, out=torch.empty_like(logits)).sum(1)
        right = (as_large == 1) & logits.sum(1).isfinite()
        validation_right, test_right = right.split_with_sizes(self._sizes, dim=1)
        validation = self._sizes[0]
        loss = cross_entropy(logits[..., :validation], labelled[..., :validation])
        return loss, _wrong(validation_right), _wrong(test_right)


def cross_entropy(logits: Tensor, labelled: Tensor) -> Tensor:
    """The mean of `-log p(label)` for each lane, `[lane]`.

    Args:
        logits: `[lane, class, example]`.
        labelled: The logits of the labels, `[lane, 1, example]`.
    """
    return (logits.logsumexp(1, keepdim=True) - labelled).mean((1, 2))


def _wrong(right: Tensor) -> Tensor:
    """The fraction that is not right; the division comes last, so that it is rounded once."""
    return (right.shape[-1] - right.sum(-1)).double() / right.shape[-1]

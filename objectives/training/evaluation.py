"""Measuring lanes on data they are not trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor

from objectives.data import Splits
from objectives.models import Network

METRICS = ("train/loss", "validation/loss", "validation/error", "test/error")
"""What a trial measures, in the order of a reading's columns."""


class Evaluation:
    """The validation and test examples, kept on the device."""

    def __init__(self, splits: Splits, *, device: torch.device, dtype: torch.dtype) -> None:
        held_out = (splits.validation, splits.test)
        self._sizes = [len(split) for split in held_out]
        self._inputs = torch.cat([split.inputs for split in held_out]).to(device, dtype)
        self._labels = torch.cat([split.labels for split in held_out]).to(device)

    def measure(self, network: Network, parameters: Tensor) -> Sequence[Tensor]:
        """Validation loss, validation error and test error of some lanes, each `[lane]`.

        The error is the fraction of examples whose largest output is not that of their label. An example counts as an
        error if any output is not finite.

        Args:
            network: What makes outputs of inputs.
            parameters: `[lane, parameter]`.
        """
        logits = network.logits(parameters, self._inputs)
        # Networks may lay out the classes last or first; argmax is seven times slower if they are not last.
        wrong = (logits.contiguous().argmax(-1) != self._labels) | ~logits.sum(-1).isfinite()
        validation_wrong, test_wrong = wrong.split_with_sizes(self._sizes, dim=1)
        validation = self._sizes[0]
        loss = cross_entropy(logits[:, :validation], self._labels[:validation])
        return loss, _fraction(validation_wrong), _fraction(test_wrong)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean of `-log p(label)` for each lane, `[lane]`, from `[lane, example, class]`."""
    picked = logits.gather(-1, labels.expand(logits.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    return (logits.logsumexp(-1) - picked).mean(-1)


def _fraction(wrong: Tensor) -> Tensor:
    return wrong.sum(-1, dtype=torch.float64) / wrong.shape[-1]

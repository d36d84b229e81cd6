"""Softmax cross entropy: the negative log-probability of an example's class."""

import torch
from torch import Tensor
from torch.nn import functional

from objectives.losses import Likelihood, Loss, Targets

__all__ = ["CROSS_ENTROPY"]


def _drawn(outputs: Tensor, uniforms: Tensor) -> Tensor:
    """Softmax minus one-hot of the first class up to which the probabilities add up to more than the number."""
    chances = outputs.softmax(1)
    below = chances.cumsum(1) <= uniforms.to(outputs.dtype).unsqueeze(1)
    labels = below.sum(1, keepdim=True).clamp_max(outputs.shape[1] - 1)
    return chances.scatter_add(1, labels, -torch.ones_like(chances))


def _roots(outputs: Tensor) -> Tensor:
    """For each class, softmax minus its one-hot, times the root of its probability."""
    chances = outputs.softmax(1)
    gradients = chances.unsqueeze(0) - torch.eye(outputs.shape[1]).to(chances).unsqueeze(1)
    return gradients * chances.sqrt().T.unsqueeze(2)


CLASSES = Likelihood(joint=True, drawn=_drawn, roots=_roots)
"""A class of the softmax of its outputs."""

CROSS_ENTROPY = Loss(
    "cross_entropy",
    functional.cross_entropy,
    Targets.CLASSES,
    ("error", "accuracy"),
    smooths=True,
    likelihood=CLASSES,
)

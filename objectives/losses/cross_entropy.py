"""Softmax cross entropy: the negative log-probability of an example's class."""

from torch.nn import functional

from objectives.losses import Loss, Targets

__all__ = ["CROSS_ENTROPY"]

CROSS_ENTROPY = Loss("cross_entropy", functional.cross_entropy, Targets.CLASSES, ("error", "accuracy"))

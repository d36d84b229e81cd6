"""Binary cross entropy of the sigmoid of each output, over the examples and the outputs of each."""

from torch.nn import functional

from objectives.losses import Loss, Targets

__all__ = ["BCE"]

BCE = Loss("bce", functional.binary_cross_entropy_with_logits, Targets.SHARES, ("loss", "error", "accuracy"))

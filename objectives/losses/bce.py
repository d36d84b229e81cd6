"""Binary cross entropy of the sigmoid of each output, over the examples and the outputs of each."""

from torch import Tensor
from torch.nn import functional

from objectives.losses import Likelihood, Loss, Targets

__all__ = ["BCE"]


def _drawn(outputs: Tensor, uniforms: Tensor) -> Tensor:
    """Sigmoid minus a label that is 1 with this probability."""
    chances = outputs.sigmoid()
    return chances - (uniforms.unsqueeze(1) < chances).to(outputs.dtype)


def _roots(outputs: Tensor) -> Tensor:
    chances = outputs.sigmoid()
    return (chances * (1 - chances)).sqrt().unsqueeze(0)


BCE = Loss(
    "bce",
    functional.binary_cross_entropy_with_logits,
    Targets.SHARES,
    ("loss", "error", "accuracy"),
    likelihood=Likelihood(joint=False, drawn=_drawn, roots=_roots),
)

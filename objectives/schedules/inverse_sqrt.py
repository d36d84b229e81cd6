"""A decay with the inverse square root of the steps, without end (Vaswani et al. 2017, section 5.3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from objectives.schedules.lengths import InParts, Lengths, Parts

__all__ = ["InverseSqrt"]


@dataclass(frozen=True, slots=True)
class InverseSqrt(InParts):
    """`sqrt(decay_steps / (decay_steps + step))`.

    After a warm-up of `decay_steps` steps it is `sqrt(decay_steps / t)`, where `t` steps were done before. That is
    equation 3 of Vaswani et al. (arXiv 1706.03762) over its peak, except that their `t` counts the present step, too.

    Attributes:
        warm_up: Whether the rate first rises on a line, for `warm_up_steps`. The steps here count from its end.
        lengths: What lengths are counted in. If it is `share`, they are called `decay_share` and `warm_up_share`.

    >>> import torch
    >>> InverseSqrt().factor(torch.tensor([0, 300, 800]), {"decay_steps": torch.tensor([100.0])})
    tensor([1.0000, 0.5000, 0.3333])
    """

    warm_up: bool = False
    lengths: Lengths = Lengths.STEPS

    def factor_after_warm_up(self, parts: Parts, steps: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        scale = parts.length("decay", hyperparameters)
        return (scale / (scale + steps)).sqrt()

    @property
    def parts(self) -> Parts:
        return Parts(self.warm_up, self.lengths, ("decay",), are_endless=True)

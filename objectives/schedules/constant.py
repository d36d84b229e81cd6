"""No schedule: the learning rate stays as it is, perhaps after a warm-up."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.schedules.lengths import InParts, Lengths, Parts

__all__ = ["Constant"]


@dataclass(frozen=True, slots=True)
class Constant(InParts):
    """`1` at every step. Without a warm-up it needs no hyperparameters.

    Attributes:
        warm_up: Whether the rate first rises on a line, for `warm_up_steps`.
        lengths: What lengths are counted in.

    >>> Constant().factor(torch.tensor([[0], [4000]]), {}).squeeze()
    tensor([1., 1.])
    >>> Constant(warm_up=True).factor(torch.tensor([0, 3, 4000]), {"warm_up_steps": torch.tensor([4.0])})
    tensor([0.2500, 1.0000, 1.0000])
    """

    warm_up: bool = False
    lengths: Lengths = Lengths.STEPS

    def factor_after_warm_up(self, parts: Parts, steps: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        return torch.ones_like(steps, dtype=torch.get_default_dtype())

    @property
    def parts(self) -> Parts:
        return Parts(self.warm_up, self.lengths)

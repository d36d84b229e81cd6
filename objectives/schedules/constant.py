"""No schedule: the learning rate stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Constant"]


@dataclass(frozen=True, slots=True)
class Constant:
    """`1` at every step. It needs no hyperparameters.

    >>> Constant().factor(torch.tensor([[0], [4000]]), {}).squeeze()
    tensor([1., 1.])
    """

    @property
    def hyperparameters(self) -> frozenset[str]:
        return frozenset()

    def factor(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002 - the contract
        return torch.ones_like(step, dtype=torch.get_default_dtype())

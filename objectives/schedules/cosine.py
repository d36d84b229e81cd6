"""Half a period of a cosine down to a fraction of the initial learning rate, then constant."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.schedules.lengths import InParts, Lengths, Parts

__all__ = ["Cosine"]


@dataclass(frozen=True, slots=True)
class Cosine(InParts):
    """`end_factor + (1 - end_factor) (1 + cos(pi step / decay_steps)) / 2` up to `decay_steps`, then `end_factor`.

    It is equation 5 of Loshchilov and Hutter (2017, arXiv 1608.03983) without restarts.

    Attributes:
        warm_up: Whether the rate first rises on a line, for `warm_up_steps`. The steps here count from its end.
        lengths: What lengths are counted in. If it is `share`, they are called `decay_share` and `warm_up_share`.

    >>> settings = {"end_factor": torch.tensor([0.2]), "decay_steps": torch.tensor([100.0])}
    >>> Cosine().factor(torch.tensor([0, 50, 100, 4000]), settings)
    tensor([1.0000, 0.6000, 0.2000, 0.2000])
    """

    warm_up: bool = False
    lengths: Lengths = Lengths.STEPS

    def factor_after_warm_up(self, parts: Parts, steps: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        done = (steps / parts.length("decay", hyperparameters)).clamp(max=1)
        end = hyperparameters["end_factor"]
        return end + (1 - end) * (1 + torch.cos(math.pi * done)) / 2

    @property
    def parts(self) -> Parts:
        return Parts(self.warm_up, self.lengths, ("decay",), ("end_factor",))

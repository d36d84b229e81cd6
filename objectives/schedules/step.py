"""Sudden decays by the same factor, with constant learning rates between them (He et al. 2016, section 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from objectives.schedules.lengths import InParts, Lengths, Parts

__all__ = ["Step"]

NAMES = ("first", "second", "third", "fourth")
"""Of the parts before each decay."""


@dataclass(frozen=True, slots=True)
class Step(InParts):
    """`1` for `first_steps`, then `decay_factor` for `second_steps`, then `decay_factor` squared, and so on.

    He et al. (arXiv 1512.03385) divide the rate by 10 on CIFAR-10 after 32,000 and after 48,000 of 64,000 steps of 128
    examples: `first_steps = 32000` and `second_steps = 16000`. Hoffer et al. (arXiv 1705.08741) do so after 81, 122 and
    164 epochs. Each length is searched by itself: the decays are in order whatever the lengths are.

    Attributes:
        decays: How many decays there are, 1 to 4; before each is a part with a length.
        warm_up: Whether the rate first rises on a line, for `warm_up_steps`. The steps here count from its end.
        lengths: What lengths are counted in. If it is `share`, they are called `first_share` and so on.

    >>> settings = {"decay_factor": 0.1, "first_steps": 80.0, "second_steps": 40.0}
    >>> settings = {name: torch.tensor([each]) for name, each in settings.items()}
    >>> Step().factor(torch.tensor([0, 79, 80, 119, 120, 4000]), settings)
    tensor([1.0000, 1.0000, 0.1000, 0.1000, 0.0100, 0.0100])
    """

    decays: Annotated[int, Ge(1), Le(len(NAMES))] = 2
    warm_up: bool = False
    lengths: Lengths = Lengths.STEPS

    @property
    def defaults(self) -> Mapping[str, float]:
        return {"decay_factor": 0.1}

    def factor_after_warm_up(self, parts: Parts, steps: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        ends = accumulate(parts.length(each, hyperparameters) for each in parts.names)
        passed = torch.stack([steps >= end for end in ends]).sum(0)
        return hyperparameters["decay_factor"] ** passed

    @property
    def parts(self) -> Parts:
        return Parts(self.warm_up, self.lengths, NAMES[: self.decays], ("decay_factor",))

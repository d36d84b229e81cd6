"""A warm-up, a constant learning rate, and a linear decay (Hu et al. 2024, section 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from objectives.schedules.lengths import InParts, Lengths, Parts

__all__ = ["WarmupStableDecay"]


@dataclass(frozen=True, slots=True)
class WarmupStableDecay(InParts):
    """1 for `stable_steps`, then a line down to `end_factor` for `decay_steps`, then `end_factor`.

    The schedule WSD of MiniCPM (arXiv 2404.06395), with a line for its decay.

    Attributes:
        warm_up: Whether the rate first rises on a line, for `warm_up_steps`. The steps here count from its end.
        lengths: What lengths are counted in. If it is `share`, they are called `stable_share` and so on.

    >>> import torch
    >>> settings = {"warm_up_steps": 4.0, "stable_steps": 16.0, "decay_steps": 10.0, "end_factor": 0.1}
    >>> settings = {name: torch.tensor([each]) for name, each in settings.items()}
    >>> WarmupStableDecay().factor(torch.tensor([0, 3, 20, 25, 30, 4000]), settings)
    tensor([0.2500, 1.0000, 1.0000, 0.5500, 0.1000, 0.1000])
    """

    warm_up: bool = True
    lengths: Lengths = Lengths.STEPS

    def factor_after_warm_up(self, parts: Parts, steps: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        decayed = (steps - parts.length("stable", hyperparameters)).clamp(min=0)
        done = (decayed / parts.length("decay", hyperparameters)).clamp(max=1)
        return 1 - (1 - hyperparameters["end_factor"]) * done

    @property
    def parts(self) -> Parts:
        return Parts(self.warm_up, self.lengths, ("stable", "decay"), ("end_factor",))

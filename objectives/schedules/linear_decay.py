"""A linear decay to a fraction of the initial learning rate, then constant (Shallue et al. 2019, section 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from objectives.schedules.lengths import InParts, Lengths, Parts

__all__ = ["LinearDecay"]


@dataclass(frozen=True, slots=True)
class LinearDecay(InParts):
    """`1 - (1 - end_factor) step / decay_steps` while `step <= decay_steps`, then `end_factor`.

    Attributes:
        warm_up: Whether the rate first rises on a line, for `warm_up_steps`. The steps here count from its end.
        lengths: What lengths are counted in. If it is `share`, they are called `decay_share` and `warm_up_share`.

    >>> import torch
    >>> settings = {"end_factor": torch.tensor([0.1]), "decay_steps": torch.tensor([100.0])}
    >>> LinearDecay().factor(torch.tensor([[0], [50], [100], [4000]]), settings).squeeze()
    tensor([1.0000, 0.5500, 0.1000, 0.1000])
    """

    warm_up: bool = False
    lengths: Lengths = Lengths.STEPS

    def factor_after_warm_up(self, parts: Parts, steps: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        done = (steps / parts.length("decay", hyperparameters)).clamp(max=1)
        return 1 - (1 - hyperparameters["end_factor"]) * done

    @property
    def parts(self) -> Parts:
        return Parts(self.warm_up, self.lengths, ("decay",), ("end_factor",))

"""A linear decay to a fraction of the initial learning rate, then constant (Shallue et al. 2019, section 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

__all__ = ["LinearDecay"]


@dataclass(frozen=True, slots=True)
class LinearDecay:
    """`1 - (1 - end_factor) step / decay_steps` while `step <= decay_steps`, then `end_factor`.

    >>> import torch
    >>> settings = {"end_factor": torch.tensor([0.1]), "decay_steps": torch.tensor([100.0])}
    >>> LinearDecay().factor(torch.tensor([[0], [50], [100], [4000]]), settings).squeeze()
    tensor([1.0000, 0.5500, 0.1000, 0.1000])
    """

    @property
    def hyperparameters(self) -> frozenset[str]:
        return frozenset({"end_factor", "decay_steps"})

    def factor(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        done = (step / hyperparameters["decay_steps"]).clamp(max=1)
        return 1 - (1 - hyperparameters["end_factor"]) * done

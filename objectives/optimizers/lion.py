"""Lion, the evolved sign momentum (Chen et al. 2023, arXiv 2302.06675, algorithm 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, Decay, decay_numbers, shrink

__all__ = ["Lion"]

_MIXED, _REMEMBERED = "share_in_direction", "share_in_memory"


@dataclass(frozen=True, slots=True)
class Lion:
    """`parameters -= learning_rate sign(beta1 m + (1 - beta1) g)`, then `m = beta2 m + (1 - beta2) g`.

    Weight decay is decoupled: `learning_rate weight_decay parameters` is taken off as well.
    """

    hyperparameters = frozenset({"learning_rate", "beta1", "beta2", *NONE})
    defaults: ClassVar[Mapping[str, float]] = {"beta1": 0.9, "beta2": 0.99, **NONE}
    dispensable = DISPENSABLE
    domains = DOMAINS

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:  # noqa: ARG002 - the contract
        return (torch.zeros_like(parameters),)

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:  # noqa: ARG002
        mixed = 1 - hyperparameters["beta1"]
        return {
            "learning_rate": hyperparameters["learning_rate"],
            _MIXED: mixed,
            _REMEMBERED: (1 - hyperparameters["beta2"]) / mixed,
            **decay_numbers(Decay.DECOUPLED, hyperparameters),
        }

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        (memory,) = state
        losses, gradient = problem.gradient(parameters)
        # The new memory lies on the line through the old one and the direction, which takes the gradient's place.
        torch.lerp(memory, gradient, numbers[_MIXED], out=gradient)
        memory.lerp_(gradient, numbers[_REMEMBERED])
        shrink(parameters, numbers, problem.layout)
        parameters.addcmul_(gradient.sign_(), numbers["learning_rate"], value=-1)
        return losses

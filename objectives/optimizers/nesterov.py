"""Nesterov momentum in the form of Shallue et al. 2019, section 4.2: what `torch.optim.SGD(nesterov=True)` does."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, Decay, add_decay, decay_numbers, shrink

__all__ = ["Nesterov"]


@dataclass(frozen=True, slots=True)
class Nesterov:
    """`v = momentum v + gradient; parameters -= learning_rate (momentum v + gradient)`.

    Attributes:
        decay: Of the weights: `coupled` or `decoupled`.
    """

    decay: Decay = Decay.COUPLED
    hyperparameters = frozenset({"learning_rate", "momentum", *NONE})
    defaults = NONE
    dispensable = DISPENSABLE
    domains = DOMAINS

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:  # noqa: ARG002 - the contract
        return (torch.zeros_like(parameters),)

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:  # noqa: ARG002
        taken = {name: hyperparameters[name] for name in ("learning_rate", "momentum")}
        return taken | decay_numbers(self.decay, hyperparameters)

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        (velocity,) = state
        losses, gradient = problem.gradient(parameters)
        add_decay(gradient, parameters, numbers, problem.layout)
        velocity.mul_(numbers["momentum"]).add_(gradient)
        gradient.addcmul_(velocity, numbers["momentum"])
        shrink(parameters, numbers, problem.layout)
        parameters.addcmul_(gradient, numbers["learning_rate"], value=-1)
        return losses

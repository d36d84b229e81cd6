"""Momentum in the form of Sutskever et al. 2013, without Nesterov's correction: what `torch.optim.SGD` does."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, Decay, add_decay, decay_numbers, shrink

__all__ = ["HeavyBall"]


@dataclass(frozen=True, slots=True)
class HeavyBall:
    """`v = momentum v + gradient; parameters -= learning_rate v`. Momentum zero is plain gradient descent.

    Attributes:
        decay: Of the weights. `decoupled` takes `learning_rate weight_decay` of them off in each step.
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
        velocity.mul_(numbers["momentum"])
        add_decay(velocity, parameters, numbers, problem.layout)
        losses = problem.add_gradient(parameters, velocity)
        shrink(parameters, numbers, problem.layout)
        parameters.addcmul_(velocity, numbers["learning_rate"], value=-1)
        return losses

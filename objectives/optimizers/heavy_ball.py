"""Momentum in the form of Sutskever et al. 2013, without Nesterov's correction: what `torch.optim.SGD` does."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.optimizers import Problem, State

__all__ = ["HeavyBall"]


@dataclass(frozen=True, slots=True)
class HeavyBall:
    """`v = momentum v + gradient; parameters -= learning_rate v`. Momentum zero is plain gradient descent."""

    @property
    def hyperparameters(self) -> frozenset[str]:
        return frozenset({"learning_rate", "momentum"})

    def initial_state(self, parameters: Tensor) -> State:
        return (torch.zeros_like(parameters),)

    def step(self, problem: Problem, parameters: Tensor, state: State, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        (velocity,) = state
        velocity.mul_(hyperparameters["momentum"])
        losses = problem.add_gradient(parameters, velocity)
        parameters.addcmul_(velocity, hyperparameters["learning_rate"], value=-1)
        return losses

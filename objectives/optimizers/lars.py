"""LARS, layer-wise adaptive rate scaling (You, Gitman and Ginsburg 2017, arXiv 1708.03888, algorithm 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, WEIGHT_DECAY, Decay, add_decay, decay_numbers
from objectives.optimizers.parts.trust import adapted_norms, add_scaled

__all__ = ["Lars"]


@dataclass(frozen=True, slots=True)
class Lars:
    """`v = momentum v + learning_rate ratio (g + weight_decay w); w -= v`, for each tensor `w` and its gradient `g`.

    `ratio = trust_coefficient |w| / (|g| + weight_decay |w|)`; it is 1 if a norm is zero, and for tensors of one
    dimension. As published, the learning rate is a part of the velocity: a lower one counts from its step on.
    """

    hyperparameters = frozenset({"learning_rate", "momentum", "trust_coefficient", *NONE})
    defaults: ClassVar[Mapping[str, float]] = {"trust_coefficient": 0.001, **NONE}
    dispensable = DISPENSABLE
    domains = DOMAINS

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:  # noqa: ARG002 - the contract
        return (torch.zeros_like(parameters),)

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:  # noqa: ARG002
        taken = {name: hyperparameters[name] for name in ("learning_rate", "momentum", "trust_coefficient")}
        return taken | decay_numbers(Decay.COUPLED, hyperparameters)

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        (velocity,), layout, rate = state, problem.layout, numbers["learning_rate"]
        losses, gradient = problem.gradient(parameters)
        sizes, slopes = adapted_norms(parameters, layout), adapted_norms(gradient, layout)
        whole = slopes + numbers[WEIGHT_DECAY] * sizes if WEIGHT_DECAY in numbers else slopes
        ratios = torch.where((sizes > 0) & (slopes > 0), numbers["trust_coefficient"] * sizes / whole, 1.0)
        add_decay(gradient, parameters, numbers, layout)
        velocity.mul_(numbers["momentum"])
        add_scaled(velocity, gradient, layout, rates=rate * ratios, plain=rate)
        parameters.sub_(velocity)
        return losses

"""LAMB, Adam with layer-wise adaptation (You et al. 2020, arXiv 1904.00962, algorithm 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, WEIGHT_DECAY, add_decay
from objectives.optimizers.parts.moments import CORRECTION, MOMENTS, direction, moment_numbers, no_moments
from objectives.optimizers.parts.trust import adapted_norms, add_scaled

__all__ = ["Lamb"]


@dataclass(frozen=True, slots=True)
class Lamb:
    """`w -= learning_rate |w| / |u| u` for each tensor `w`, with `u` the direction of Adam plus `weight_decay w`.

    The factor `|w| / |u|` is 1 if a norm is zero, and for tensors of one dimension.
    """

    hyperparameters = frozenset({"learning_rate", *MOMENTS, *NONE})
    defaults: ClassVar[Mapping[str, float]] = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-6, **NONE}
    dispensable = DISPENSABLE
    domains = DOMAINS

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:  # noqa: ARG002 - the contract
        return no_moments(parameters)

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = {"learning_rate": hyperparameters["learning_rate"], **moment_numbers(step, hyperparameters)}
        if WEIGHT_DECAY in hyperparameters:  # it is added before the correction is multiplied with
            found[WEIGHT_DECAY] = hyperparameters[WEIGHT_DECAY] / found[CORRECTION]
        return found

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        layout, rate = problem.layout, numbers["learning_rate"]
        losses, update = problem.gradient(parameters)
        direction(update, state, numbers)
        add_decay(update, parameters, numbers, layout)
        sizes, lengths = adapted_norms(parameters, layout), adapted_norms(update, layout)
        plain = rate * numbers[CORRECTION]
        rates = torch.where((sizes > 0) & (lengths > 0), rate * sizes / lengths, plain)  # the correction cancels out
        add_scaled(parameters, update, layout, rates=-rates, plain=-plain)
        return losses

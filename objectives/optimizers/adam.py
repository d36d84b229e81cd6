"""Adam (Kingma and Ba 2015, algorithm 1), as `torch.optim.Adam` computes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, Decay, add_decay, decay_numbers, shrink
from objectives.optimizers.parts.moments import CORRECTION, MOMENTS, direction, moment_numbers, no_moments

__all__ = ["Adam"]

_RATE = "rate"
"""The learning rate with the corrections of bias."""


@dataclass(frozen=True, slots=True)
class Adam:
    """`m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w -= learning_rate m' / (sqrt(v') + epsilon)`.

    `m'` and `v'` are corrected for their start at zero: `m' = m / (1 - beta1^t)`, `v' = v / (1 - beta2^t)`.

    Attributes:
        decay: Of the weights. `decoupled` is AdamW.
    """

    decay: Decay = Decay.COUPLED
    hyperparameters = frozenset({"learning_rate", *MOMENTS, *NONE})
    defaults: ClassVar[Mapping[str, float]] = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, **NONE}
    dispensable = DISPENSABLE
    domains = DOMAINS

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:  # noqa: ARG002 - the contract
        return no_moments(parameters)

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        moments = moment_numbers(step, hyperparameters)
        rate = hyperparameters["learning_rate"] * moments.pop(CORRECTION)
        return {_RATE: rate, **moments, **decay_numbers(self.decay, hyperparameters)}

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        losses, gradient = problem.gradient(parameters)
        add_decay(gradient, parameters, numbers, problem.layout)
        direction(gradient, state, numbers)
        shrink(parameters, numbers, problem.layout)
        parameters.addcmul_(gradient, numbers[_RATE], value=-1)
        return losses

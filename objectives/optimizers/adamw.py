"""AdamW (Loshchilov and Hutter 2019, algorithm 2), as `torch.optim.AdamW` computes it: decay at the learning rate."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.adam import Adam
from objectives.optimizers.parts.decay import Decay

__all__ = ["AdamW"]

_ADAM = Adam(Decay.DECOUPLED)


@dataclass(frozen=True, slots=True)
class AdamW:
    """Adam whose weight decay is no part of the gradient: `parameters -= learning_rate weight_decay parameters`."""

    hyperparameters = Adam.hyperparameters
    defaults = Adam.defaults
    dispensable = Adam.dispensable
    domains = DOMAINS

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:
        return _ADAM.initial_state(parameters, layout)

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return _ADAM.numbers(step, hyperparameters)

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        return _ADAM.step(problem, parameters, state, numbers)

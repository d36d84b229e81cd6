"""Plain stochastic gradient descent: what `torch.optim.SGD` does without momentum."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from objectives.bounds.domains import DOMAINS
from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, Decay, add_decay, decay_numbers, shrink

__all__ = ["Sgd"]


@dataclass(frozen=True, slots=True)
class Sgd:
    """`parameters -= learning_rate gradient`.

    Attributes:
        decay: Of the weights: `coupled` or `decoupled`.
    """

    decay: Decay = Decay.COUPLED
    hyperparameters = frozenset({"learning_rate", *NONE})
    defaults = NONE
    dispensable = DISPENSABLE
    domains = DOMAINS

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:  # noqa: ARG002 - the contract
        return ()

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:  # noqa: ARG002 - the contract
        return {"learning_rate": hyperparameters["learning_rate"], **decay_numbers(self.decay, hyperparameters)}

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002 - the contract
        losses, gradient = problem.gradient(parameters)
        add_decay(gradient, parameters, numbers, problem.layout)
        shrink(parameters, numbers, problem.layout)
        parameters.addcmul_(gradient, numbers["learning_rate"], value=-1)
        return losses

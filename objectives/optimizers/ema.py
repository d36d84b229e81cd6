"""Exponential averages of the parameters, which are measured in their place (Zhang et al. 2019, section 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from objectives.bounds.domains import PAST, Domain, domains_of
from objectives.models import Layout
from objectives.optimizers import Fisher, Optimizer, Problem, State, defaults_of, dispensable_in, fisher_of, numbers_of
from tuner.experiment.components import component

__all__ = ["Ema"]

AVERAGING = "averaging"
_TAKEN = "share_in_average"


@dataclass(frozen=True, slots=True)
class Ema:
    """`a = averaging a + (1 - averaging) w` after each step of another optimizer; `a` starts as the parameters `w`.

    Averages are measured and saved; training goes on from the parameters. The running averages of batch norm are
    averaged as well, so that they belong to the same steps as the averaged weights.

    Attributes:
        optimizer: What moves the parameters.
    """

    optimizer: Annotated[Optimizer, component("objectives.optimizers")]

    @property
    def hyperparameters(self) -> frozenset[str]:
        return self.optimizer.hyperparameters | {AVERAGING}

    @property
    def defaults(self) -> Mapping[str, float]:
        """See `objectives.optimizers.HasDefaults`."""
        return defaults_of(self.optimizer)

    @property
    def dispensable(self) -> frozenset[str]:
        """See `objectives.optimizers.DoesWithout`."""
        return dispensable_in(self.optimizer)

    @property
    def fisher(self) -> Fisher | None:
        """See `objectives.optimizers.NeedsFactors`."""
        return fisher_of(self.optimizer)

    @property
    def domains(self) -> Mapping[str, Domain]:
        """See `objectives.bounds.domains.HasDomains`."""
        return {**domains_of(self.optimizer), AVERAGING: PAST}

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:
        return parameters.clone(), *self.optimizer.initial_state(parameters, layout)

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        taken = 1 - hyperparameters[AVERAGING]
        return {**numbers_of(self.optimizer, step, hyperparameters), _TAKEN: taken}

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        average, *inner = state
        losses = self.optimizer.step(problem, parameters, tuple(inner), numbers)
        average.lerp_(parameters, numbers[_TAKEN])
        return losses

    def measured(self, parameters: Tensor, state: State) -> Tensor:  # noqa: ARG002 - the contract
        return state[0]

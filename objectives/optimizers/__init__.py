"""Optimizers as functions of stacked tensors, with one hyperparameter value per lane."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

State = tuple[Tensor, ...]
"""What an optimizer remembers: tensors `[lane, ...]`."""


class Problem(Protocol):
    """What is minimised in one step: every lane's loss on its own minibatch."""

    def add_gradient(self, parameters: Tensor, sums: Tensor) -> Tensor:
        """Losses `[lane]` at these parameters, which the next call overwrites; adds the gradients to `sums`.

        Args:
            parameters: `[lane, parameter]`.
            sums: `[lane, parameter]`: a velocity, say, or zeros.
        """
        ...


@runtime_checkable
class Optimizer(Protocol):
    """An update rule for `[lane, parameter]`. Its settings are the trials' hyperparameters, one value per lane.

    Attributes:
        hyperparameters: Names it needs; `learning_rate` is one, and arrives as the schedule sets it for this step.
    """

    @property
    def hyperparameters(self) -> frozenset[str]: ...

    def initial_state(self, parameters: Tensor) -> State:
        """What it remembers of `[lane, parameter]` before the first step."""
        ...

    def step(self, problem: Problem, parameters: Tensor, state: State, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """Update parameters and state in place.

        Args:
            problem: What to minimise.
            parameters: `[lane, parameter]`.
            state: From `initial_state`.
            hyperparameters: A value per lane, `[lane, 1]`. A learning rate of zero leaves a lane where it is.

        Returns:
            Losses `[lane]` before the update.
        """
        ...

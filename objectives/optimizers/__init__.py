"""Optimizers as functions of stacked tensors, with one hyperparameter value per lane."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

State = tuple[Tensor, ...]
"""The state of an optimizer: tensors `[lane, ...]`."""


class Problem(Protocol):
    """The problem of one step: every lane's loss on its own minibatch."""

    def add_gradient(self, parameters: Tensor, sums: Tensor) -> Tensor:
        """Losses at these parameters, `[lane]`, in a buffer that the next call overwrites. Adds gradients to `sums`.

        Args:
            parameters: `[lane, parameter]`.
            sums: `[lane, parameter]`, for example a velocity, or zeros.
        """
        ...


@runtime_checkable
class Optimizer(Protocol):
    """An update rule for `[lane, parameter]`. Its settings are the trials' hyperparameters, one value per lane.

    Attributes:
        hyperparameters: Names of the hyperparameters it needs. `learning_rate` is always among them; its value in a
            step is that of the schedule.
    """

    @property
    def hyperparameters(self) -> frozenset[str]: ...

    def initial_state(self, parameters: Tensor) -> State:
        """The state before the first step, for parameters `[lane, parameter]`."""
        ...

    def step(self, problem: Problem, parameters: Tensor, state: State, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """Update parameters and state in place.

        Args:
            problem: The losses to minimise.
            parameters: `[lane, parameter]`.
            state: From `initial_state`.
            hyperparameters: A value per lane, `[lane, 1]`. A learning rate of zero leaves a lane where it is.

        Returns:
            Losses `[lane]` before the update.
        """
        ...

"""Optimizers as functions of stacked tensors, with one hyperparameter value per lane."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

from torch import Tensor

from objectives.implementing import implements
from objectives.models import Factors, Layout

State = tuple[Tensor, ...]
"""The state of an optimizer: tensors `[lane, ...]`."""


class Problem(Protocol):
    """The problem of one step: every lane's loss on its own minibatch.

    Attributes:
        layout: Where each trained tensor lies in a row of parameters.
    """

    @property
    def layout(self) -> Layout: ...

    def add_gradient(self, parameters: Tensor, sums: Tensor) -> Tensor:
        """Losses at these parameters, `[lane]`, in a buffer that the next call overwrites. Adds gradients to `sums`.

        Args:
            parameters: `[lane, parameter]`.
            sums: `[lane, parameter]`, for example a velocity, or zeros.
        """
        ...

    def gradient(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Losses `[lane]` and gradients `[lane, parameter]`, in buffers that the next call overwrites.

        An optimizer may change the gradients, but leaves those zero that are always zero, such as those of padding. One
        that only sums them up takes less time with `add_gradient`.
        """
        ...


@runtime_checkable
class FactoredProblem(Problem, Protocol):
    """The problem that an optimizer is given which `NeedsFactors`."""

    def gradient_and_factors(self, parameters: Tensor) -> tuple[Tensor, Tensor, Sequence[Factors]]:
        """As `gradient`, with new tensors of the factors of each of the layout's layers."""
        ...


class Fisher(StrEnum):
    """Which labels the outputs' gradients are of, whose second moments are a factor.

    `sampled` draws a label of each example from the model's predictions, by the trial's seed and the step. `exact` is
    its expectation, at the cost of a backward pass for each output. `empirical` takes the labels of the data, and is
    not a Fisher matrix.
    """

    SAMPLED = "sampled"
    EXACT = "exact"
    EMPIRICAL = "empirical"


@runtime_checkable
class Optimizer(Protocol):
    """An update rule for `[lane, parameter]`. Its settings are the trials' hyperparameters, one value per lane.

    Attributes:
        hyperparameters: Names of the hyperparameters it needs. `learning_rate` is always among them; its value in a
            step is that of the schedule.
    """

    @property
    def hyperparameters(self) -> frozenset[str]: ...

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:
        """The state before the first step, for parameters `[lane, parameter]`."""
        ...

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        """Update parameters and state in place.

        Args:
            problem: The losses to minimise.
            parameters: `[lane, parameter]`.
            state: From `initial_state`.
            numbers: The hyperparameters, or what `Prepares` makes of them: a value per lane, `[lane, 1]`. A learning
                rate of zero leaves a lane where it is.

        Returns:
            Losses `[lane]` before the update.
        """
        ...


@runtime_checkable
class Prepares(Protocol):
    """What an optimizer implements besides `Optimizer` if its steps need other numbers than the hyperparameters.

    They are computed for many steps at once, in float64, before they are rounded to the type of the parameters.
    """

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The numbers that `step` is given.

        Args:
            step: Steps done before, `[step, lane]`.
            hyperparameters: A value per lane, `[lane]`; the learning rate `[step, lane]`. Float64.

        Returns:
            Each `[step, lane]`; or `[lane]`, if it is the same in every step.
        """
        ...


@runtime_checkable
class HasDefaults(Protocol):
    """What an optimizer or a schedule implements besides if the space may leave some hyperparameters out.

    Attributes:
        defaults: The values of those hyperparameters.
    """

    @property
    def defaults(self) -> Mapping[str, float]: ...


@runtime_checkable
class DoesWithout(Protocol):
    """What an optimizer implements besides `HasDefaults` if its steps take less time without some hyperparameters.

    Attributes:
        dispensable: Hyperparameters with a default that are not there in a step, nor for `Prepares`, unless some trial
            names them. All trials of a study name the same ones.
    """

    @property
    def dispensable(self) -> frozenset[str]: ...


@runtime_checkable
class Averages(Protocol):
    """What an optimizer implements besides `Optimizer` if other parameters are measured than those it moves."""

    def measured(self, parameters: Tensor, state: State) -> Tensor:
        """The parameters `[lane, parameter]` that are measured and saved."""
        ...


@runtime_checkable
class NeedsFactors(Protocol):
    """What an optimizer implements besides `Optimizer` if its problem has to be a `FactoredProblem`.

    It may decide on the host what a step does. So its steps are not recorded on a GPU.

    Attributes:
        fisher: Of which labels the factors are; None if it needs no factors.
    """

    @property
    def fisher(self) -> Fisher | None: ...


def fisher_of(optimizer: Optimizer) -> Fisher | None:
    """Of which labels an optimizer needs factors, if any."""
    return optimizer.fisher if isinstance(optimizer, NeedsFactors) else None


def defaults_of(component: object) -> Mapping[str, float]:
    """The hyperparameters of an optimizer or a schedule that the space may leave out, with their values."""
    return component.defaults if isinstance(component, HasDefaults) else {}


def dispensable_in(optimizer: Optimizer) -> frozenset[str]:
    """The hyperparameters of an optimizer that it is not given unless a trial names them."""
    return optimizer.dispensable if isinstance(optimizer, DoesWithout) else frozenset()


def numbers_of(optimizer: Optimizer, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """What the steps of an optimizer are given. See `Prepares`."""
    if implements(optimizer, Prepares):
        return optimizer.numbers(step, hyperparameters)
    return {name: hyperparameters[name] for name in sorted(optimizer.hyperparameters & hyperparameters.keys())}

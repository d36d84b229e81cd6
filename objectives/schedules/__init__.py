"""Learning-rate schedules: functions of the step count."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

from tuner.errors import ConfigError, Problem

MAX_STEPS = "max_steps"
"""What schedules are told beside their hyperparameters, if it is known: the budget of a trial in steps."""


@runtime_checkable
class Schedule(Protocol):
    """How the learning rate changes during training.

    Attributes:
        hyperparameters: Names of the hyperparameters it needs.
    """

    @property
    def hyperparameters(self) -> frozenset[str]: ...

    def factor(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """The factor of the learning rate.

        Args:
            step: Steps already done, `[..., lane]`; 0 in the first step.
            hyperparameters: A value per lane, `[lane]`. If the budget is known, `max_steps` is among them.

        Returns:
            `[..., lane]`.
        """
        ...


@runtime_checkable
class MayNeedBudget(Protocol):
    """What a schedule implements besides `Schedule` if it may make use of the budget.

    Attributes:
        needs_budget: Whether it cannot do without.
    """

    @property
    def needs_budget(self) -> bool: ...


def check_budget(schedule: Schedule, max_steps: int | None) -> None:
    """Check that a schedule is told the budget if it needs it.

    Args:
        schedule: Any.
        max_steps: The budget; None if it is not known.

    Raises:
        ConfigError: It needs the budget, which is not known.
    """
    if max_steps is None and isinstance(schedule, MayNeedBudget) and schedule.needs_budget:
        problem = 'counts in shares of the budget of a trial, which is not known here; use lengths = "steps"'
        raise ConfigError([Problem("objective.schedule.lengths", problem)])

"""Learning-rate schedules: functions of the step count."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor


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
            hyperparameters: A value per lane, `[lane]`.

        Returns:
            `[..., lane]`.
        """
        ...

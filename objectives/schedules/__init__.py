"""Learning-rate schedules: functions of the step count."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Schedule(Protocol):
    """How the learning rate changes while a trial trains.

    Attributes:
        hyperparameters: Names it needs.
    """

    @property
    def hyperparameters(self) -> frozenset[str]: ...

    def factor(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """What the learning rate is multiplied with.

        Args:
            step: Steps already done, `[..., lane]`; 0 at the first.
            hyperparameters: A value per lane, `[lane]`.

        Returns:
            `[..., lane]`.
        """
        ...

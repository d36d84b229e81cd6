"""When a trial is measured: at the same steps at every batch size, so that no batch size is measured more finely."""

from dataclasses import dataclass


def next_measurement(step: int) -> int:
    """The step after `step` at which a trial is measured: 3 % later or, early on, the very next.

    >>> next_measurement(0), next_measurement(99), next_measurement(100), next_measurement(4000)
    (1, 101, 103, 4120)
    """
    return step + max(1, step * 3 // 100)  # whole numbers: 0.03 * step may round down across one


@dataclass(slots=True)
class Progress:
    """How far a trial has come.

    Attributes:
        step: Steps done.
        measured: The step of its last measurement; 0 before the first.
        reached: How many of the goal's targets it has met.
    """

    step: int = 0
    measured: int = 0
    reached: int = 0

    @property
    def until_due(self) -> int:
        """Steps to its next measurement; 0 if it is due."""
        return next_measurement(self.measured) - self.step

"""The hyperparameters of all lanes, and the numbers that their steps are given."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from objectives.optimizers import Optimizer, defaults_of, dispensable_in, numbers_of
from objectives.schedules import MAX_STEPS, Schedule

LEARNING_RATE = "learning_rate"


class Numbers:
    """The numbers of the next steps as one tensor. What is the same in every step is written to it once.

    Attributes:
        names: Of the numbers, in order.

    Args:
        dtype: Of the tensor.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self.names: Sequence[str] = ()
        self._written: Tensor | None = None
        self._changing: Sequence[tuple[int, str]] = ()

    def forget(self) -> None:
        """Write everything anew next time, because some lane has another trial."""
        self._written = None

    def together(self, found: Mapping[str, Tensor], steps: Tensor) -> Tensor:
        """All numbers, `[step, lane, number]`, in a tensor that the next call overwrites.

        Args:
            found: Each `[step, lane]`, or `[lane]` if it is the same in every step until `forget`.
            steps: Done before, `[step, lane]`.
        """
        if self._written is None or len(self._written) < len(steps):
            self.names = sorted(found)
            self._changing = [(place, name) for place, name in enumerate(self.names) if found[name].ndim > 1]
            columns = [found[name].expand(steps.shape) for name in self.names]
            self._written = torch.stack(columns, -1).to(self._dtype)
            return self._written
        numbers = self._written[: len(steps)]
        for place, name in self._changing:
            numbers[..., place] = found[name]
        return numbers


class Hyperparameters:
    """The hyperparameters of the optimizer and the schedule, a value for each lane.

    Attributes:
        of_vacant: Those of a lane without a trial. Defaults stand in for the others.

    Args:
        max_steps: The budget of a trial, if it is known.
    """

    def __init__(
        self, optimizer: Optimizer, schedule: Schedule, *, lanes: int, device: torch.device, max_steps: int | None
    ) -> None:
        self._optimizer, self._schedule = optimizer, schedule
        names = sorted(optimizer.hyperparameters | schedule.hyperparameters)
        self._defaults = {**defaults_of(optimizer), **defaults_of(schedule)}
        self._unnamed = dispensable_in(optimizer)
        """Those that no trial has named, and that the optimizer does without."""
        self.of_vacant = {name: 1.0 for name in names if name not in self._defaults} | {LEARNING_RATE: 0.0}
        first = self._defaults | self.of_vacant
        none = torch.zeros(lanes, device=device, dtype=torch.float64)
        self._values = {name: torch.full_like(none, first[name]) for name in names}
        self._known = {} if max_steps is None else {MAX_STEPS: torch.full_like(none, max_steps, dtype=torch.int64)}

    @property
    def names(self) -> frozenset[str]:
        """Their names."""
        return frozenset(self._values)

    def write(self, lane: int, given: Mapping[str, float]) -> None:
        """Set the values of a lane. Defaults stand in for what is missing."""
        self._unnamed -= given.keys()
        for name, values in self._values.items():
            values[lane] = given[name] if name in given else self._defaults[name]

    def numbers(self, steps: Tensor) -> Mapping[str, Tensor]:
        """What the optimizer is given after so many steps, `[step, lane]`: each `[step, lane]` or `[lane]`."""
        rates = self._values[LEARNING_RATE] * self._schedule.factor(steps, self._known | self._values)
        named = {name: each for name, each in self._values.items() if name not in self._unnamed}
        return numbers_of(self._optimizer, steps, named | {LEARNING_RATE: rates})

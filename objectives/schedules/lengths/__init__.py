"""The parts of a schedule: how long they are is a hyperparameter of each. And the warm-up before them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from torch import Tensor

from objectives.bounds.domains import AMOUNT, POSITIVE, Domain
from objectives.schedules import MAX_STEPS
from tuner.errors import ConfigError, Problem
from tuner.objective import Bounds

WARM_UP = "warm_up"
ROUNDING = 1e-9
"""Shares whose sum is this much above 1 are together the whole."""


class Lengths(StrEnum):
    """What lengths are counted in: steps, or shares of a trial's budget, rounded to whole steps."""

    STEPS = "steps"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a schedule, one after the other, and its factors of the learning rate.

    Attributes:
        warm_up: Whether there is a part before all others in which the rate rises on a line.
        lengths: What lengths are counted in. The hyperparameter of a part is called `decay_steps` or `decay_share`.
        names: Of the parts after the warm-up.
        factors: Hyperparameters that are no lengths.
        are_endless: Whether the parts after the warm-up have no end, so that their lengths are only a scale.
    """

    warm_up: bool
    lengths: Lengths
    names: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    are_endless: bool = False

    @property
    def hyperparameters(self) -> frozenset[str]:
        """Names of all lengths and factors."""
        return frozenset({*map(self._key, self._all), *self.factors})

    @property
    def needs_budget(self) -> bool:
        """See `objectives.schedules.MayNeedBudget`."""
        return self.lengths is Lengths.SHARE and bool(self._all)

    def length(self, name: str, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """The length of a part in steps, `[lane]`."""
        given = hyperparameters[self._key(name)]
        if self.lengths is Lengths.STEPS:
            return given
        return (given * hyperparameters[MAX_STEPS]).round().clamp(min=1)

    def after_warm_up(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """Steps since the end of the warm-up, `[..., lane]`; 0 during the warm-up."""
        return (step - self.length(WARM_UP, hyperparameters)).clamp(min=0) if self.warm_up else step

    def warmed_up(self, factor: Tensor, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """A factor `[..., lane]` times that of the warm-up, `(step + 1) / warm_up_steps` and then 1."""
        if not self.warm_up:
            return factor
        return factor * ((step + 1) / self.length(WARM_UP, hyperparameters)).clamp(max=1)

    @property
    def domains(self) -> Mapping[str, Domain]:
        """See `objectives.bounds.domains.HasDomains`."""
        of_a_length = POSITIVE if self.lengths is Lengths.STEPS else Domain(0.0, 1.0, above=True)
        return {**dict.fromkeys(map(self._key, self._all), of_a_length), **dict.fromkeys(self.factors, AMOUNT)}

    def check_bounds(self, bounds: Bounds, *, batch_size: int, max_steps: int) -> None:
        """See `tuner.objective.ChecksBounds`.

        Raises:
            ConfigError: The least lengths are together longer than the budget.
        """
        ending = self._all[: len(self._all) - len(self.names)] if self.are_endless else self._all
        keys = [each for each in map(self._key, ending) if each in bounds]
        total = math.fsum(bounds[each][0] for each in keys)
        several = f"{', '.join(keys[:-1])} and {keys[-1]} are together" if len(keys) > 1 else ""
        who = f"{several or ''.join(keys) + ' is'} at least"
        if self.lengths is Lengths.SHARE and total > 1 + ROUNDING:
            raise ConfigError([Problem(keys[-1], f"{who} {total:g} of the budget; make them at most 1 together")])
        if self.lengths is Lengths.STEPS and total > max_steps:
            message = f"{who} {total:,g} steps, more than the budget of {max_steps:,} steps at batch size {batch_size}"
            raise ConfigError([Problem(keys[-1], f"{message}; make the least shorter")])

    @property
    def _all(self) -> tuple[str, ...]:
        return (WARM_UP, *self.names) if self.warm_up else self.names

    def _key(self, name: str) -> str:
        return f"{name}_{self.lengths.value}"


class InParts(ABC):
    """What schedules of parts have in common. Each says what its parts are, and its factor after the warm-up.

    Implements `Schedule` and `MayNeedBudget` of `objectives.schedules`, `HasDomains` and `ChecksBounds`.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def parts(self) -> Parts:
        """The parts of the schedule."""

    @abstractmethod
    def factor_after_warm_up(self, parts: Parts, steps: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """The factor of the learning rate, `[..., lane]`, without that of the warm-up.

        Args:
            parts: Those of the schedule.
            steps: Since the end of the warm-up, `[..., lane]`; 0 during the warm-up.
            hyperparameters: A value per lane, `[lane]`.
        """

    @property
    def hyperparameters(self) -> frozenset[str]:
        return self.parts.hyperparameters

    @property
    def needs_budget(self) -> bool:
        return self.parts.needs_budget

    @property
    def domains(self) -> Mapping[str, Domain]:
        return self.parts.domains

    def factor(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        parts = _parts_of(self)
        steps = parts.after_warm_up(step, hyperparameters)
        return parts.warmed_up(self.factor_after_warm_up(parts, steps, hyperparameters), step, hyperparameters)

    def check_bounds(self, bounds: Bounds, *, batch_size: int, max_steps: int) -> None:
        self.parts.check_bounds(bounds, batch_size=batch_size, max_steps=max_steps)


@cache
def _parts_of(schedule: InParts) -> Parts:
    """Those of a schedule, which never change: every few steps ask for them."""
    return schedule.parts

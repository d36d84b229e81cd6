"""Domains: the values of a hyperparameter that make sense at all, whatever the batch size and the budget."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tuner.errors import ConfigError, Problem
from tuner.objective import Bounds, ChecksBounds


@dataclass(frozen=True, slots=True)
class Domain:
    """Every number from `least` to `most`.

    Attributes:
        above: Whether the least itself is none of them.
        below: Whether the most itself is none of them.

    >>> Domain(0.0, 1.0, below=True).phrase
    'at least 0 and below 1'
    """

    least: float = -math.inf
    most: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        over_least = value > self.least if self.above else value >= self.least
        return over_least and (value < self.most if self.below else value <= self.most)

    @property
    def phrase(self) -> str:
        """The domain, for a person."""
        least = f"{'above' if self.above else 'at least'} {self.least:g}" if math.isfinite(self.least) else ""
        most = f"{'below' if self.below else 'at most'} {self.most:g}" if math.isfinite(self.most) else ""
        return " and ".join(filter(None, (least, most)))


AMOUNT = Domain(least=0.0)
"""Zero or more. A learning rate of zero trains nothing, and is no error."""
POSITIVE = Domain(least=0.0, above=True)
PAST = Domain(least=0.0, most=1.0, below=True)
"""The weight of the past in a running mean or sum, which would never end at 1."""

DOMAINS: Mapping[str, Domain] = {
    "learning_rate": AMOUNT,
    "momentum": PAST,
    "beta1": PAST,
    "beta2": PAST,
    "epsilon": POSITIVE,
    "weight_decay": AMOUNT,
    "trust_coefficient": POSITIVE,
}
"""Those of the hyperparameters that optimizers have in common: `domains = DOMAINS` in an optimizer says all."""


@runtime_checkable
class HasDomains(Protocol):
    """What an optimizer, a schedule or a model implements besides if not every number makes sense to it.

    One whose values depend on the batch size or the budget implements `tuner.objective.ChecksBounds`, with paths that
    are names of hyperparameters.

    Attributes:
        domains: Of its hyperparameters, by name; it may have more names.
    """

    @property
    def domains(self) -> Mapping[str, Domain]: ...


def domains_of(component: object) -> Mapping[str, Domain]:
    """The domains of a component's hyperparameters; none if it has not said any."""
    return component.domains if isinstance(component, HasDomains) else {}


def bound_problems(component: object, bounds: Bounds, *, batch_size: int, max_steps: int) -> list[Problem]:
    """What a component says against the bounds of hyperparameters, by their names.

    Args:
        component: An optimizer, a schedule or a model.
        bounds: The least and the most of each.
        batch_size: The study's.
        max_steps: The budget of a trial.
    """
    problems = []
    for name, domain in domains_of(component).items():
        wrong = [each for each in bounds.get(name, ()) if each not in domain]
        problems += [Problem(name, f"may be {each:g}; it must be {domain.phrase}") for each in wrong[:1]]
    if isinstance(component, ChecksBounds):
        try:
            component.check_bounds(bounds, batch_size=batch_size, max_steps=max_steps)
        except ConfigError as error:
            problems += error.problems
    return problems

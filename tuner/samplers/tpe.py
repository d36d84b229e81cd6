"""The tree-structured Parzen estimator, joint over all parameters (Bergstra et al. 2011; Watanabe 2023)."""

from dataclasses import dataclass

from optuna.samplers import BaseSampler, TPESampler

from tuner.experiment.limits.numbers import Points
from tuner.experiment.space import SearchSpace
from tuner.samplers import Suggestions
from tuner.samplers.suggestions.optuna_study import OptunaSuggestions

__all__ = ["Tpe"]

MEMORY = 250
"""How many results TPE keeps whenever it has seen twice as many, because its time grows with their number."""


@dataclass(frozen=True, slots=True)
class Tpe:
    """Optuna's TPE: multivariate, with the constant liar for points in flight.

    Attributes:
        startup: Results to wait for before TPE models them. Until then the points are quasi-random.
    """

    startup: Points = 10

    def start(self, space: SearchSpace, *, seed: int) -> Suggestions:
        return OptunaSuggestions(space, self._sampler, seed=seed, startup=self.startup, memory=MEMORY)

    def _sampler(self, seed: int) -> BaseSampler:
        return TPESampler(seed=seed, n_startup_trials=1)

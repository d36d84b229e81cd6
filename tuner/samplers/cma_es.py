"""Covariance matrix adaptation (Hansen 2016, arXiv 1604.00772), as Optuna runs it."""

from dataclasses import dataclass

from optuna.samplers import BaseSampler, CmaEsSampler

from tuner.experiment.limits.numbers import Points
from tuner.experiment.space import SearchSpace
from tuner.samplers import Suggestions
from tuner.samplers.suggestions.optuna_study import OptunaSuggestions

__all__ = ["CmaEs"]


@dataclass(frozen=True, slots=True)
class CmaEs:
    """An evolution strategy on the ranges; choices are drawn at random.

    Attributes:
        startup: Results to wait for before the first generation. Until then the points are quasi-random.
    """

    startup: Points = 10

    def start(self, space: SearchSpace, *, seed: int) -> Suggestions:
        return OptunaSuggestions(space, self._sampler, seed=seed, startup=self.startup)

    def _sampler(self, seed: int) -> BaseSampler:
        return CmaEsSampler(seed=seed, n_startup_trials=1, warn_independent_sampling=False)

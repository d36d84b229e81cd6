"""The tree-structured Parzen estimator, joint over all parameters (Bergstra et al. 2011; Watanabe 2023)."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from optuna.samplers import BaseSampler, TPESampler

from tuner.experiment.space import SearchSpace
from tuner.samplers import Suggestions
from tuner.samplers.suggestions.optuna_study import OptunaSuggestions

__all__ = ["Tpe"]

MEMORY = 250
"""Results to go on with whenever there are twice as many: TPE's time grows with them."""


@dataclass(frozen=True, slots=True)
class Tpe:
    """Optuna's TPE: multivariate, with the constant liar for points in flight.

    Attributes:
        startup: Results to wait for before it models them; until then its points are quasi-random.
    """

    startup: Annotated[int, Ge(1)] = 10

    def start(self, space: SearchSpace, *, seed: int) -> Suggestions:
        return OptunaSuggestions(space, self._sampler, seed=seed, startup=self.startup, memory=MEMORY)

    def _sampler(self, seed: int) -> BaseSampler:
        return TPESampler(seed=seed, n_startup_trials=1)

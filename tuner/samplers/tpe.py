"""The tree-structured Parzen estimator, joint over all parameters (Bergstra et al. 2011; Watanabe 2023)."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from optuna.samplers import BaseSampler, TPESampler

from tuner.refinement import RefinedSuggestions
from tuner.samplers import Suggestions
from tuner.space import SearchSpace
from tuner.suggestions import OptunaSuggestions

__all__ = ["Tpe"]


@dataclass(frozen=True, slots=True)
class Tpe:
    """Optuna's TPE: multivariate, with the constant liar for points in flight.

    Attributes:
        startup: Results to wait for before it models them; until then its points are quasi-random.
        refine_after: Points after which two in three are local steps around the incumbent; 0 for never. For
            objectives without noise: where there is noise, it follows the luckiest seed.
    """

    startup: Annotated[int, Ge(1)] = 10
    refine_after: Annotated[int, Ge(0)] = 0

    def start(self, space: SearchSpace, *, seed: int) -> Suggestions:
        model = OptunaSuggestions(space, self._sampler, seed=seed, startup=self.startup)
        return RefinedSuggestions(model, space, seed=seed, after=self.refine_after) if self.refine_after else model

    def _sampler(self, seed: int) -> BaseSampler:
        return TPESampler(seed=seed, n_startup_trials=1)

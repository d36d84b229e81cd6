"""Optuna as it comes: its default sampler from the first point on."""

from dataclasses import dataclass

from optuna.samplers import TPESampler

from tuner.experiment.space import SearchSpace
from tuner.samplers import Suggestions
from tuner.samplers.suggestions.optuna_study import OptunaSuggestions

__all__ = ["OptunaDefault"]


@dataclass(frozen=True, slots=True)
class OptunaDefault:
    """TPE with its own start-up of ten random points."""

    def start(self, space: SearchSpace, *, seed: int) -> Suggestions:
        return OptunaSuggestions(space, lambda each: TPESampler(seed=each), seed=seed, startup=0)

"""The search of one study with an Optuna sampler, in memory and in a fixed order of asks and results."""

import logging
from collections.abc import Callable, Mapping

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState, create_trial

from tuner.experiment.distributions import decode, distributions_of, encode
from tuner.experiment.sequences import halton_point
from tuner.experiment.space import SearchSpace
from tuner.trial import Value, hash_seed

optuna.logging.set_verbosity(logging.WARNING)


class OptunaSuggestions:
    """Asks and tells an Optuna sampler through an Optuna study in memory.

    The Optuna study sees a result only when `tell` passes it on, so counting decides which results an ask has seen.
    Each ask makes a sampler whose seed depends on the study and the point's number, so that a resumed search does not
    use the same random numbers twice.

    Args:
        space: Where to search.
        sampler: Makes Optuna's sampler from a seed.
        seed: The study's seed.
        startup: Results to wait for before the sampler models them. Until then points are quasi-random, because they
            cover the space better than the sampler's own random points.
        memory: How many results the sampler keeps whenever it has seen twice as many: a quarter of them are the best
            results, and the rest are the latest. By default the sampler keeps all results.
    """

    def __init__(
        self,
        space: SearchSpace,
        sampler: Callable[[int], BaseSampler],
        *,
        seed: int,
        startup: int,
        memory: int | None = None,
    ) -> None:
        self._space = space
        self._sampler = sampler
        self._seed = seed
        self._awaited = startup
        self._memory = memory
        self._seen = 0
        self._distributions = distributions_of(space)
        self._study = optuna.create_study()
        self._pending: dict[int, int] = {}
        """Optuna's trial number of each pending point."""

    def ask(self, number: int) -> Mapping[str, Value]:
        if self._awaited > 0:
            point = halton_point(self._space, number, seed=self._seed)
            self.queue(number, point)
            return point
        self._study.sampler = self._sampler(hash_seed(self._seed, number) % 2**32)
        trial = self._study.ask(self._distributions)
        self._pending[number] = trial.number
        return decode(self._space, trial.params)

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        trial = create_trial(
            state=TrialState.RUNNING, params=encode(self._space, point), distributions=self._distributions
        )
        self._study.add_trial(trial)
        self._pending[number] = len(self._study.get_trials(deepcopy=False)) - 1

    def tell(self, number: int, loss: float) -> None:
        self._study.tell(self._pending.pop(number), loss)
        self._awaited -= 1
        self._seen += 1
        if self._memory is not None and self._seen == 2 * self._memory:
            self._forget(self._memory)

    def _forget(self, kept: int) -> None:
        """Go on in a new Optuna study with `kept` of the results and all pending points."""
        trials = self._study.get_trials(deepcopy=False)
        best = kept // 4
        ended = sorted(
            (each for each in trials if each.state.is_finished()), key=lambda each: (each.value, each.number)
        )
        latest = sorted(ended[best:], key=lambda each: each.number)[best - kept :]
        pending = {trial: point for point, trial in self._pending.items()}
        known = sorted([*ended[:best], *latest, *(trials[each] for each in pending)], key=lambda each: each.number)
        self._study = optuna.create_study()
        self._study.add_trials(known)
        numbers = {each.number: number for number, each in enumerate(known)}  # old -> new
        self._pending = {point: numbers[trial] for trial, point in pending.items()}
        self._seen = kept

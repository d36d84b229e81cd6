"""What each sampler is for."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from optuna import Study
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from tuner.experiment.sequences import is_from_sequence
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.samplers import Sampler
from tuner.samplers.cma_es import CmaEs
from tuner.samplers.gp import Gp
from tuner.samplers.quasi_random import QuasiRandom
from tuner.samplers.random import Random
from tuner.samplers.suggestions.expected_improvement import ExpectedImprovement, best_and_latest
from tuner.samplers.suggestions.optuna_study import OptunaSuggestions
from tuner.samplers.tpe import Tpe

SQUARE = SearchSpace({"x": Range(0.0, 1.0), "y": Range(0.0, 1.0)})


def unit_points(sampler: QuasiRandom | Random, count: int) -> np.ndarray:
    """The first points in the unit square, [point, 2]."""
    suggestions = sampler.start(SQUARE, seed=1)
    return np.array([[suggestions.ask(number)[name] for name in "xy"] for number in range(count)], dtype=float)


def test_quasi_random_points_are_more_even_than_random_ones() -> None:
    even, uneven = (qmc.discrepancy(unit_points(each, 128)) for each in (QuasiRandom(), Random()))

    assert even < uneven / 3


def test_a_quasi_random_point_depends_on_its_number_alone() -> None:
    alone = QuasiRandom().start(SQUARE, seed=1).ask(77)

    assert list(alone.values()) == unit_points(QuasiRandom(), 78)[77].tolist()


def test_tpe_learns_where_a_bowl_is_lowest() -> None:
    suggestions = Tpe(startup=10).start(SQUARE, seed=1)
    distances = []
    for number in range(60):
        point = suggestions.ask(number)
        distances.append(float(np.hypot(float(point["x"]) - 0.3, float(point["y"]) - 0.8)))
        suggestions.tell(number, distances[-1])

    assert np.median(distances[-20:]) < np.median(distances[:10]) / 2


def test_a_sampler_that_forgets_still_knows_where_a_bowl_is_lowest() -> None:
    """It has forgotten three times, each time with points in flight."""
    suggestions = OptunaSuggestions(SQUARE, lambda seed: TPESampler(seed=seed), seed=1, startup=10, memory=50)
    distances, flying = [], 5
    for number in range(240):
        point = suggestions.ask(number)
        distances.append(float(np.hypot(float(point["x"]) - 0.3, float(point["y"]) - 0.8)))
        if number >= flying:
            suggestions.tell(number - flying, distances[number - flying])

    assert np.median(distances[-20:]) < np.median(distances[:10]) / 3


class Witness(RandomSampler):
    """Writes down the losses, and the number of pending points, that each ask sees."""

    def __init__(self, losses: list[list[float | None]], pending: list[int]) -> None:
        super().__init__(seed=1)
        self._losses, self._pending = losses, pending

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        self._losses.append([each.value for each in ended])
        self._pending.append(sum(each.number != trial.number for each in running))


def test_a_sampler_forgets_all_but_the_best_quarter_and_the_latest_results_whenever_there_are_twice_as_many() -> None:
    losses: list[list[float | None]] = []
    pending: list[int] = []
    suggestions = OptunaSuggestions(SQUARE, lambda _: Witness(losses, pending), seed=1, startup=0, memory=8)
    suggestions.ask(0)
    suggestions.ask(1)
    for number in range(26):
        suggestions.ask(number + 2)
        suggestions.tell(number, {3: 2.0, 7: 1.0, 9: 3.0}.get(number, 50.0 - number))

    seen = [len(each) for each in losses]
    assert seen == [0, 0, *range(16), *range(8, 16), 8, 9]
    assert losses[18] == [2.0, 1.0, 40.0, 39.0, 38.0, 37.0, 36.0, 35.0]
    assert losses[26] == [2.0, 1.0, 32.0, 31.0, 30.0, 29.0, 28.0, 27.0]
    assert pending[2:] == [2] * 26


VALLEY = SearchSpace(
    {
        "learning_rate": Range(1e-4, 10.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.999, scale=Scale.REVERSE_LOG),
    }
)


def fewest(sampler: Sampler, loss: Callable[[float, float], float], *, seed: int, count: int = 24) -> float:
    """The least loss that a search of learning rate and momentum finds."""
    suggestions = sampler.start(VALLEY, seed=seed)
    found = []
    for number in range(count):
        point = suggestions.ask(number)
        found.append(loss(float(point["learning_rate"]), float(point["momentum"])))
        suggestions.tell(number, found[-1])
    return min(found)


def curved(rate: float, momentum: float) -> float:
    """A narrow valley along an effective learning rate of 1, lowest at momentum 0.99."""
    return 3 * abs(math.log10(rate / (1 - momentum))) + 0.3 * abs(math.log10(1 - momentum) + 2)


def test_a_gaussian_process_finds_the_end_of_a_valley_of_constant_effective_learning_rate() -> None:
    modelled, guessed = ([fewest(each, curved, seed=seed) for seed in range(3)] for each in (Gp(), Tpe()))

    assert np.median(modelled) < np.median(guessed) / 2


def test_points_of_a_gaussian_process_in_flight_spread() -> None:
    suggestions = Gp(startup=4).start(SQUARE, seed=1)
    for number in range(12):
        point = suggestions.ask(number)
        suggestions.tell(number, (float(point["x"]) - 0.3) ** 2 + (float(point["y"]) - 0.8) ** 2)

    flying = np.array([[suggestions.ask(number)[name] for name in "xy"] for number in range(12, 16)], dtype=float)
    apart = np.linalg.norm(flying[:, None] - flying[None], axis=2)[np.triu_indices(4, 1)]

    assert apart.min() > 1e-3


def test_an_evolution_strategy_comes_nearer_than_its_start_up() -> None:
    suggestions = CmaEs(startup=10).start(SQUARE, seed=1)
    distances = []
    for number in range(80):
        point = suggestions.ask(number)
        distances.append(float(np.hypot(float(point["x"]) - 0.3, float(point["y"]) - 0.8)))
        suggestions.tell(number, distances[-1])

    assert np.median(distances[-20:]) < np.median(distances[:10]) / 2


@pytest.mark.parametrize("sampler", [Tpe(startup=10), CmaEs(startup=10)])
def test_as_many_points_are_quasi_random_as_asked_for(sampler: Tpe | CmaEs) -> None:
    suggestions = sampler.start(SQUARE, seed=1)
    quasi_random = []
    for number in range(15):
        point = suggestions.ask(number)
        quasi_random.append(is_from_sequence(SQUARE, number, point, seed=1))
        suggestions.tell(number, float(point["x"]))

    assert quasi_random == [True] * 10 + [False] * 5


def test_as_many_points_of_the_gaussian_process_are_quasi_random_as_asked_for() -> None:
    suggestions = Gp(startup=4).start(SQUARE, seed=1)
    quasi_random = []
    for number in range(6):
        point = suggestions.ask(number)
        quasi_random.append(is_from_sequence(SQUARE, number, point, seed=1))
        suggestions.tell(number, float(point["x"]))

    assert quasi_random == [True] * 4 + [False] * 2


def test_the_best_and_the_latest_points_are_kept_in_order() -> None:
    assert best_and_latest([1, 2, 9, 3, 7, 5], 4) == [1, 2, 9, 7]
    assert best_and_latest([5, 3], 4) == [5, 3]


def test_expected_improvement_of_many_results_knows_where_a_bowl_is_lowest() -> None:
    """More results than its process goes through, and far more than it is fitted to."""
    suggestions = ExpectedImprovement(SQUARE, seed=1, startup=4, noise=0.2)
    for number, (x, y) in enumerate(qmc.Halton(2, rng=1).random(600).tolist()):
        suggestions.queue(number, {"x": x, "y": y})
        suggestions.tell(number, 8 * math.hypot(x - 0.3, y - 0.8))

    point = suggestions.ask(600)

    assert math.hypot(float(point["x"]) - 0.3, float(point["y"]) - 0.8) < 0.05

"""What each sampler is for."""

import numpy as np
from scipy.stats import qmc

from tuner.samplers import Suggestions
from tuner.samplers.quasi_random import QuasiRandom
from tuner.samplers.random import Random
from tuner.samplers.tpe import Tpe
from tuner.space import Range, SearchSpace

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


def test_refinement_ends_nearer_to_the_lowest_point_of_a_smooth_bowl() -> None:
    def nearest(sampler: Tpe, seed: int) -> float:
        suggestions = sampler.start(SQUARE, seed=seed)
        found = []
        for number in range(50):
            point = suggestions.ask(number)
            found.append(float(np.hypot(float(point["x"]) - 0.3, float(point["y"]) - 0.8)))
            suggestions.tell(number, found[-1])
        return min(found)

    plain, refined = ([nearest(each, seed) for seed in range(5)] for each in (Tpe(), Tpe(refine_after=16)))

    assert np.median(refined) < np.median(plain)


def test_refinement_steps_are_made_again_the_same_after_an_interruption() -> None:
    def start() -> Suggestions:
        return Tpe(refine_after=10).start(SQUARE, seed=3)

    whole, resumed = start(), start()
    points = []
    for number in range(30):
        points.append(whole.ask(number))
        whole.tell(number, float(points[-1]["x"]))
    for number in range(29):
        resumed.queue(number, points[number])
    for number in range(29):
        resumed.tell(number, float(points[number]["x"]))

    assert resumed.ask(29) == points[29]

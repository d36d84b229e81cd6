"""What each sampler is for."""

import numpy as np
from scipy.stats import qmc

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

"""Points that are even at any number: those of scipy, and those of a space."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from tuner.experiment.sequences import halton, halton_point, halton_points_outside
from tuner.experiment.space import Choice, Fixed, Range, SearchSpace

SPACE = SearchSpace({"x": Range(0.0, 1.0), "rule": Choice(("slow", "fast")), "decay": Fixed(0.1)})


@settings(deadline=None)
@given(dimensions=st.integers(1, 12), seed=st.integers(0, 2**63), first=st.integers(0, 10**6))
def test_points_are_those_of_scipy_to_the_last_bit(dimensions: int, seed: int, first: int) -> None:
    sequence = qmc.Halton(dimensions, rng=seed).fast_forward(first)

    assert (halton(first, 20, dimensions, seed=seed) == sequence.random(20)).all()


def test_points_are_evener_than_random_ones() -> None:
    points = halton(0, 128, 3, seed=0)

    assert ((points >= 0) & (points < 1)).all()
    assert qmc.discrepancy(points) < qmc.discrepancy(np.random.default_rng(0).random((128, 3))) / 5


def test_a_point_of_a_space_has_its_number() -> None:
    (position,) = halton(17, 1, 2, seed=5).tolist()

    assert halton_point(SPACE, 17, seed=5) == SPACE.at(position)


def test_a_space_without_parameters_has_one_point() -> None:
    assert halton_point(SearchSpace({"decay": Fixed(0.1)}), 3, seed=5) == {"decay": 0.1}


def test_points_outside_lie_in_what_was_added() -> None:
    inner, outer = (SearchSpace({"x": Range(0.0, high)}) for high in (1.0, 2.0))

    points = halton_points_outside(inner, outer, 10, seed=0)

    assert len(points) == 10
    assert all(1 < float(each["x"]) <= 2 for each in points)
    assert halton_points_outside(inner, inner, 10, seed=0) == []

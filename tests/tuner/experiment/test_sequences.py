"""Points that are even at any number: those of scipy, and those of a space."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from tuner.experiment.sequences import halton, halton_point, halton_points_outside, is_from_sequence, random_point
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


def test_a_sequence_without_dimensions_has_points_without_coordinates() -> None:
    assert halton(0, 3, 0, seed=1).shape == (3, 0)


def test_points_outside_are_the_first_of_the_sequence() -> None:
    inner, outer = (SearchSpace({"x": Range(0.0, high)}) for high in (1.0, 1.002))
    few = halton_points_outside(inner, outer, 1000, seed=5)

    points = [halton_point(outer, number, seed=5) for number in range(1000)]

    assert few == [each for each in points if float(each["x"]) > 1]
    assert halton_points_outside(SearchSpace({"x": Range(2.0, 3.0)}), outer, 3, seed=5) == points[:3]


def test_random_points_depend_on_the_seed_and_on_the_number() -> None:
    points = [random_point(SPACE, number, seed=seed)["x"] for seed in range(10) for number in range(10)]

    assert len(set(points)) == 100
    assert random_point(SPACE, 3, seed=2)["x"] == points[23]


def test_a_point_with_another_option_is_not_of_the_sequence() -> None:
    point = halton_point(SPACE, 4, seed=1)
    other = {**point, "rule": "fast" if point["rule"] == "slow" else "slow"}

    assert is_from_sequence(SPACE, 4, point, seed=1)
    assert not is_from_sequence(SPACE, 4, other, seed=1)


def test_only_a_space_without_ranges_and_choices_has_every_point_of_a_sequence() -> None:
    line = SearchSpace({"x": Range(0.0, 1.0)})
    fixed = SearchSpace({"decay": Fixed(0.1)})

    assert not is_from_sequence(line, 3, {"x": 0.123}, seed=1)
    assert is_from_sequence(fixed, 3, {"decay": 0.1}, seed=1)


def test_a_position_that_differs_by_rounding_is_the_same() -> None:
    (x,) = halton_point(SearchSpace({"x": Range(0.0, 1.0)}), 3, seed=1).values()

    assert is_from_sequence(SearchSpace({"x": Range(0.0, 1.0)}), 3, {"x": float(x) + 1e-11}, seed=1)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import qmc

from tuner.analysis.models.convex import features, hessians, lowest_in, minimise, values
from tuner.analysis.models.surface import fit

Array = NDArray[np.float64]


def scattered(count: int, parameters: int) -> Array:
    """An even cover of the box."""
    return np.asarray(qmc.Halton(parameters, scramble=False).random(count))


def bowl(positions: Array, optimum: list[float], curvature: float) -> Array:
    return np.asarray(6 + curvature * ((positions - np.array(optimum)) ** 2).sum(axis=1))


def least_squares(values: Array, positions: Array) -> Array:
    """The convex quadratic nearest to values, as weights."""
    rows = features(positions)
    precision = (rows.T @ rows + 1e-9 * np.eye(rows.shape[1]))[None]
    return np.asarray(minimise(precision, (values @ rows)[None], parameters=positions.shape[1])[0])


def test_a_convex_quadratic_is_found_exactly() -> None:
    positions = scattered(40, 3)

    weights = least_squares(bowl(positions, [0.3, 1.2, 0.5], 4.0), positions)

    assert features(positions) @ weights == pytest.approx(bowl(positions, [0.3, 1.2, 0.5], 4.0), abs=1e-3)


def test_the_convex_quadratic_nearest_to_a_hill_has_no_curvature_left() -> None:
    positions = scattered(200, 2)

    weights = least_squares(bowl(positions, [0.5, 0.5], -4.0), positions)

    assert hessians(weights, 2) == pytest.approx(np.zeros((2, 2)), abs=1e-2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_no_fit_has_a_negative_curvature(seed: int, parameters: int) -> None:
    generator = np.random.default_rng(seed)
    positions = scattered(30, parameters)

    weights = least_squares(generator.standard_normal(30), positions)

    assert np.linalg.eigvalsh(hessians(weights, parameters)).min() > -1e-9


def test_the_least_value_in_a_box_is_that_of_a_fine_grid() -> None:
    positions = scattered(60, 2)
    heights = 3 * (positions @ np.array([1.0, 0.8]) - 0.4) ** 2 + (positions[:, 0] - 1.3) ** 2
    weights = least_squares(heights, positions)
    axis = np.linspace(0, 1, 301)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

    lowest = lowest_in(weights[None], np.zeros((1, 2)), np.ones((1, 2)), start=np.array([0.5, 0.5]))

    assert values(weights[None], lowest).item() == pytest.approx((features(grid) @ weights).min(), abs=1e-3)


def test_a_surface_follows_the_losses_it_was_fitted_to() -> None:
    positions = scattered(50, 3)
    losses = bowl(positions, [0.4, 0.6, 0.5], 6.0)

    assert fit(positions, losses).at(positions) == pytest.approx(losses, abs=0.15)


def test_a_surface_follows_steps_that_grow_linearly_far_away() -> None:
    positions = scattered(50, 2)
    losses = 6 + 8 * np.abs(positions[:, 0] - 0.3) + 2 * (positions[:, 1] - 0.5) ** 2

    fitted = fit(positions, losses)

    assert fitted.bend < 1e6
    assert np.abs(fitted.at(positions) - losses).mean() < 0.5


def test_widening_saves_what_the_slope_beyond_an_edge_is_worth() -> None:
    positions = scattered(60, 3)
    losses = bowl(positions, [1.2, 0.5, 0.5], 10.0) + 0.05 * np.random.default_rng(0).standard_normal(60)

    gains = fit(positions, losses).gains(np.full(3, 0.5), start=positions[np.argmin(losses)])

    assert np.median(gains[:, 0, 1]) == pytest.approx(10 * 0.2**2, abs=0.15)
    assert np.median(gains[:, 0, 0]) == 0
    assert np.median(gains[:, 1:], axis=0) == pytest.approx(np.zeros((2, 2)), abs=0.01)


def test_the_same_trials_give_the_same_surface() -> None:
    positions = scattered(30, 2)
    losses = bowl(positions, [0.9, 0.1], 5.0)

    assert np.array_equal(fit(positions, losses).weights, fit(positions, losses).weights)

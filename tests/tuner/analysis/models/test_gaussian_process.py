import numpy as np
import pytest
from numpy.typing import NDArray

from tuner.analysis.models import gaussian_process

Array = NDArray[np.float64]


def scattered(count: int, columns: int) -> Array:
    return np.random.default_rng(0).random((count, columns))


def wave(positions: Array) -> Array:
    """A smooth function of the first column alone."""
    return np.asarray(6 + 2 * np.sin(4 * positions[:, 0]))


def test_a_smooth_function_is_found_between_its_points() -> None:
    process = gaussian_process.fit(scattered(40, 2), wave(scattered(40, 2)))
    elsewhere = np.random.default_rng(1).random((200, 2))

    assert process.at(elsewhere) == pytest.approx(wave(elsewhere), abs=0.1)


def test_a_column_without_effect_reaches_farther_than_one_with() -> None:
    lengths = gaussian_process.fit(scattered(40, 2), wave(scattered(40, 2))).lengths

    assert lengths[1] > 3 * lengths[0]


def test_the_noise_of_single_trials_is_found() -> None:
    noise = 0.3 * np.random.default_rng(2).standard_normal(80)

    process = gaussian_process.fit(scattered(80, 1), wave(scattered(80, 1)) + noise)

    assert process.noise == pytest.approx(0.3, rel=0.25)


def test_equal_trials_make_a_flat_process() -> None:
    process = gaussian_process.fit(scattered(12, 3), np.full(12, 5.0))

    assert process.at(scattered(50, 3)) == pytest.approx(5.0)


def test_the_same_trials_again_without_noise_are_no_trouble() -> None:
    positions = np.repeat(scattered(12, 2), 6, axis=0)

    process = gaussian_process.fit(positions, wave(positions))

    assert process.at(positions) == pytest.approx(wave(positions), abs=0.02)


@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_losses_of_any_size_are_no_trouble(scale: float) -> None:
    process = gaussian_process.fit(scattered(40, 2), scale * wave(scattered(40, 2)))

    assert np.isfinite(process.at(scattered(40, 2))).all()


def test_far_from_all_trials_it_expects_their_mean() -> None:
    process = gaussian_process.fit(scattered(30, 1), wave(scattered(30, 1)))

    assert process.at(np.array([[100.0]])) == pytest.approx(wave(scattered(30, 1)).mean())


def test_moving_all_losses_moves_the_process() -> None:
    process = gaussian_process.fit(scattered(30, 2), wave(scattered(30, 2)))
    moved = gaussian_process.fit(scattered(30, 2), wave(scattered(30, 2)) + 4)

    assert moved.at(scattered(9, 2)) == pytest.approx(process.at(scattered(9, 2)) + 4, abs=1e-3)


def test_doubt_is_small_at_a_trial_and_that_of_the_prior_far_from_all() -> None:
    process = gaussian_process.fit(scattered(40, 1), wave(scattered(40, 1)))
    nowhere = np.zeros((0, 1))

    near, far = process.deviations(np.array([scattered(40, 1)[0], [1000.0]]), pending=nowhere)

    assert near < 0.1 * process.amplitude
    assert far == pytest.approx(process.amplitude)


def test_a_pending_trial_takes_doubt_away_where_it_is() -> None:
    process = gaussian_process.fit(scattered(20, 2), wave(scattered(20, 2)))
    there = np.array([[2.0, 2.0]])

    before = process.deviations(there, pending=np.zeros((0, 2)))
    after = process.deviations(there, pending=there)

    assert after[0] < 0.5 * before[0]


def test_a_process_whose_lengths_are_fitted_to_some_trials_goes_through_all() -> None:
    positions, chosen = scattered(200, 2), np.arange(0, 200, 5)

    process = gaussian_process.fit(positions, wave(positions), chosen=chosen)
    alone = gaussian_process.fit(positions[chosen], wave(positions[chosen]))

    assert process.lengths == pytest.approx(alone.lengths, rel=0.05)
    assert process.at(positions) == pytest.approx(wave(positions), abs=0.05)
    assert len(process.positions) == 200

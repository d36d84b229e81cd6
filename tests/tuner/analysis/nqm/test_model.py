"""The authors' model, any other, and the bound that no training beats."""

import numpy as np
import pytest

from tuner.analysis.nqm import lower_bound, noisy_quadratic, power_law


def test_the_authors_spectra_start_at_their_losses() -> None:
    assert power_law().initial_loss == pytest.approx(4.7025, abs=5e-5)
    assert power_law(bins=None).initial_loss == pytest.approx(4.8938, abs=5e-5)


def test_binning_rounds_every_eigenvalue_down_to_a_geometric_bin() -> None:
    binned, exact, bins = power_law(), power_law(bins=None), np.geomspace(1, 1e-4, 100)
    rounded = np.repeat(binned.curvature, binned.count.astype(int))

    assert np.isclose(binned.curvature[:, None], bins, rtol=1e-12).any(axis=1).all()
    assert np.all(rounded <= exact.curvature * (1 + 1e-12))
    assert np.all(rounded > exact.curvature * bins[1] * (1 - 1e-12))


def test_directions_alike_are_one_mode() -> None:
    model = noisy_quadratic([1.0, 0.5, 0.5, 0.5], noise=[1.0, 2.0, 2.0, 3.0])

    assert sorted(zip(model.curvature, model.noise, model.count, strict=True)) == [(0.5, 2, 2), (0.5, 3, 1), (1, 1, 1)]
    assert sorted(model.directions().noise) == [1, 2, 2, 3]


def test_a_direction_without_curvature_carries_no_loss() -> None:
    assert noisy_quadratic([1.0, 0.0], noise=1.0).curvature.tolist() == [1.0]


def test_noise_is_the_hessians_by_default() -> None:
    model = noisy_quadratic([1.0, 0.25])

    assert model.noise.tolist() == model.curvature.tolist()


@pytest.mark.parametrize("batch_size", [1, 4, 64, 1024])
def test_the_lower_bound_is_the_least_step_of_the_papers_sum(batch_size: int) -> None:
    model, h = power_law(), power_law().directions().curvature

    found = lower_bound(model, batch_size=batch_size, target=0.01)

    risks = [0.5 * float(np.sum(h / (1 + k * batch_size * h))) for k in (found - 1, found)]
    assert risks[0] > 0.01 >= risks[1]


def test_the_lower_bound_nears_what_the_authors_plot_where_the_start_is_forgotten() -> None:
    assert lower_bound(power_law(), batch_size=4, target=1e-4) == pytest.approx(10_000 / (2 * 1e-4 * 4), rel=1e-3)


def test_without_noise_the_bound_is_one_newton_step() -> None:
    assert lower_bound(noisy_quadratic([1.0, 0.1], noise=0.0), batch_size=1, target=1e-6) == 1


def test_the_initial_loss_is_reached_at_once() -> None:
    assert lower_bound(noisy_quadratic([1.0]), batch_size=1, target=0.5) == 0


@pytest.mark.parametrize(
    ("eigenvalues", "noise", "start", "message"),
    [
        ([1.0, -0.1], None, 1.0, "eigenvalues holds -0.1; every value must be a finite number of at least 0"),
        ([1.0, np.inf], None, 1.0, "eigenvalues holds inf"),
        ([1.0], -2.0, 1.0, "noise holds -2"),
        ([1.0], None, np.nan, "start holds nan"),
        ([1.0, 0.5], [1.0, 2.0, 3.0], 1.0, r"noise has shape \(3,\); give one number or \(2,\)"),
        ([0.0], None, 1.0, "the initial loss is 0: give a positive eigenvalue whose start is positive"),
        ([1.0], None, 0.0, "the initial loss is 0"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(
    eigenvalues: list[float], noise: list[float] | float | None, start: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        noisy_quadratic(eigenvalues, noise=noise, start=start)


def test_a_power_law_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="dimension = 0 must be at least 1"):
        power_law(0)
    with pytest.raises(ValueError, match="exponent = -1 must be a positive number"):
        power_law(exponent=-1.0)
    with pytest.raises(ValueError, match="bins = 1 must be at least 2, or None for the exact spectrum"):
        power_law(bins=1)


@pytest.mark.parametrize(
    ("batch_size", "target", "message"),
    [(0, 0.01, "batch_size = 0"), (4, -1.0, "target = -1"), (4, 5.0, "target = 5 is above")],
)
def test_a_bound_for_no_training_is_refused(batch_size: int, target: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lower_bound(power_law(), batch_size=batch_size, target=target)

"""Many curves `S = Smin (1 + Bcrit / B)` at once: exact where there is no noise, and as good as a general solver."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from tuner.analysis.models.hyperbolas import SEARCHED, TYPICAL_RESIDUAL, Array, fit

BATCH_SIZES: Array = np.geomspace(2.0, 1024.0, 10)


def curves(least: Array, critical: Array) -> Array:
    """Steps without noise, [curve, point]."""
    return np.asarray(least[:, None] * (1 + critical[:, None] / BATCH_SIZES))


def test_curves_without_noise_are_found() -> None:
    least, critical = np.array([1.0, 30.0, 500.0]), np.array([0.5, 100.0, 3000.0])

    found = fit(BATCH_SIZES, curves(least, critical))

    assert found.least_steps == pytest.approx(least, rel=1e-8)
    assert found.critical_batch_size == pytest.approx(critical, rel=1e-8)


def test_a_sample_is_fitted_as_if_it_were_alone() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, (20, len(BATCH_SIZES)))
    steps = curves(np.full(20, 30.0), np.full(20, 100.0)) * 2**noise

    together = fit(BATCH_SIZES, steps).critical_batch_size
    alone = [fit(BATCH_SIZES, each[None]).critical_batch_size[0] for each in steps]

    assert together == pytest.approx(alone, rel=1e-6)


def test_a_point_that_is_missing_does_not_count() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (1, len(BATCH_SIZES)))
    steps = curves(np.array([30.0]), np.array([100.0])) * 2**noise
    kept = np.arange(len(BATCH_SIZES)) % 3 > 0

    with_gaps = fit(BATCH_SIZES, np.where(kept, steps, np.inf))
    without = fit(BATCH_SIZES[kept], steps[:, kept])

    assert with_gaps.critical_batch_size == pytest.approx(without.critical_batch_size, rel=1e-6)


@pytest.mark.parametrize(
    ("steps", "limit"),
    [
        (np.full(len(BATCH_SIZES), 7.0), BATCH_SIZES[0] / SEARCHED),
        (1e6 / BATCH_SIZES, BATCH_SIZES[-1] * SEARCHED),
    ],
)
def test_what_has_no_critical_batch_size_ends_at_the_limit_on_its_side(steps: Array, limit: float) -> None:
    (found,) = fit(BATCH_SIZES, steps[None]).critical_batch_size

    assert abs(np.log2(found / limit)) < 7


def test_no_solver_finds_a_better_curve() -> None:
    generator = np.random.default_rng(2)
    exact = curves(np.full(50, 30.0), 2 ** generator.uniform(0, 12, 50))
    steps = exact * 2 ** generator.normal(0, 0.3, exact.shape)
    steps[::5, 4] *= 8  # an outlier

    found = np.log2(np.column_stack(fit(BATCH_SIZES, steps)))
    for each, mine in zip(steps, found, strict=True):

        def residuals(parameters: Array, steps: Array = each) -> Array:
            curve = parameters[0] + np.log2(1 + 2 ** parameters[1] / BATCH_SIZES)
            return np.asarray(curve - np.log2(steps)) / TYPICAL_RESIDUAL

        other = least_squares(residuals, mine + 0.5, loss="soft_l1", xtol=1e-12, ftol=1e-12, gtol=1e-12)
        loss = 2 * np.sum(np.sqrt(1 + residuals(mine) ** 2) - 1)
        assert loss / 2 <= other.cost * (1 + 1e-9)

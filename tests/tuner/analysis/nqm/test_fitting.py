"""Models recovered from the steps they take."""

from functools import cache

import numpy as np
import pytest

from tuner.analysis.nqm import Box, Method, Rule, optimal, power_law
from tuner.analysis.nqm.chart import chart, chart_position
from tuner.analysis.nqm.fitting import FittedPowerLaw, fit_power_law

SGD, HEAVY_BALL = Rule(), Rule(Method.HEAVY_BALL)
SIZES = tuple(4**power for power in range(2, 9))
MOST = 0.99

pytestmark = pytest.mark.slow


@cache
def steps(rule: Rule, exponent: float, noise_scale: float, start: float) -> tuple[int, ...]:
    """The fewest steps of a model."""
    model = power_law(exponent=exponent, noise_scale=noise_scale, start=start)
    box = Box(coefficient=(0.0, 0.0 if rule is SGD else MOST))
    found = [optimal(model, rule, batch_size=size, target=0.01, box=box).steps for size in SIZES]
    return tuple(each for each in found if isinstance(each, int))


def ratios(found: FittedPowerLaw, measured: tuple[int, ...]) -> list[float]:
    return [each.steps / true for each, true in zip(found.optima, measured, strict=True) if isinstance(each.steps, int)]


@pytest.mark.parametrize(("exponent", "noise_scale", "start"), [(1.0, 1.0, 1.0), (1.3, 20.0, 0.3)])
def test_a_model_is_recovered_from_its_curve(exponent: float, noise_scale: float, start: float) -> None:
    measured = steps(SGD, exponent, noise_scale, start)

    found = fit_power_law(SIZES, measured, SGD)

    # The scales trade off against the exponent, so they are known less well than it is.
    assert found.exponent == pytest.approx(exponent, rel=0.02)
    assert found.noise_scale == pytest.approx(noise_scale, rel=0.05)
    assert found.start == pytest.approx(start, rel=0.2)
    assert ratios(found, measured) == pytest.approx([1.0] * len(SIZES), rel=0.01)
    assert found.residual < 0.01


def test_the_fit_goes_through_steps_that_are_ten_per_cent_off() -> None:
    true = steps(SGD, 1.0, 1.0, 1.0)
    factors = np.exp(0.1 * np.random.default_rng(0).standard_normal(len(SIZES)))

    found = fit_power_law(SIZES, [each * factor for each, factor in zip(true, factors, strict=True)], SGD)

    assert ratios(found, true) == pytest.approx([1.0] * len(SIZES), rel=0.12)
    assert found.residual < 0.2


def test_heavy_balls_curve_is_recovered() -> None:
    measured = steps(HEAVY_BALL, 1.0, 1.0, 1.0)

    found = fit_power_law(SIZES, measured, HEAVY_BALL, coefficient=(0.0, MOST))

    assert ratios(found, measured) == pytest.approx([1.0] * len(SIZES), rel=0.06)


@pytest.mark.parametrize(("rule", "most", "off"), [(SGD, 0.0, 0.02), (HEAVY_BALL, MOST, 0.15)])
def test_a_chart_is_close_to_the_exact_optima(rule: Rule, most: float, off: float) -> None:
    difficulty, restlessness = chart_position(power_law(), target=0.01)

    charted = chart(1.0, rule, least=0.0, most=most, octaves=24)

    fewest = 2 ** charted.log_steps(difficulty, restlessness - np.log2(SIZES))
    assert fewest == pytest.approx(steps(rule, 1.0, 1.0, 1.0), rel=off)


def test_the_order_of_batch_sizes_changes_no_fit() -> None:
    measured = steps(SGD, 1.0, 1.0, 1.0)

    once, again = fit_power_law(SIZES, measured, SGD), fit_power_law(SIZES[::-1], measured[::-1], SGD)

    assert again.exponent == pytest.approx(once.exponent, rel=1e-3)
    assert again.optima[0].batch_size == SIZES[-1]


@pytest.mark.parametrize(
    ("sizes", "measured", "message"),
    [
        ((4, 16), (100.0, 50.0), "at least 3 batch sizes; 2 sizes, 2 steps"),
        ((4, 16, 64), (100.0, 50.0), "3 sizes, 2 steps"),
        ((4, 16, 64), (100.0, 50.0, np.inf), "must be positive numbers"),
        ((4, 16, 64), (100.0, 50.0, 0.0), "must be positive numbers"),
    ],
)
def test_what_cannot_be_fitted_is_refused(sizes: tuple[int, ...], measured: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_power_law(sizes, measured, SGD)

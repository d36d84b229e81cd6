"""Trends over batch sizes and fits to log t are those that synthetic data were made with, and say no more."""

import math

import numpy as np
import pytest

from tuner.analysis.diagnoses.distances import log_fit
from tuner.analysis.diagnoses.trends import Trend, trend

SIZES = [2**power for power in range(1, 11)]


def scattered(power: float, scatter: float, seed: int) -> dict[int, float]:
    """A power law in the batch size with a log-normal scatter."""
    drawn = np.random.default_rng(seed).normal(size=len(SIZES))
    return {size: 3 * size**power * math.exp(scatter * each) for size, each in zip(SIZES, drawn, strict=True)}


def test_a_power_law_has_its_factor_for_each_doubling() -> None:
    found = trend(scattered(0.5, 0.0, seed=0))

    assert found is not None
    assert (found.factor, found.low, found.high) == pytest.approx((math.sqrt(2),) * 3)
    assert (found.verdict, found.span) == ("grows", 512)


@pytest.mark.parametrize("power", [-0.2, 0.0, 0.2])
def test_the_interval_holds_the_factor_nineteen_times_in_twenty(power: float) -> None:
    found = [trend(scattered(power, 0.5, seed)) for seed in range(400)]

    held = sum(each is not None and each.low <= 2**power <= each.high for each in found)
    assert 0.93 * len(found) <= held <= 0.97 * len(found)


def test_a_verdict_is_no_stronger_than_the_interval() -> None:
    verdicts = [Trend(1.1, *ends, span=8).verdict for ends in ((1.05, 1.2), (0.9, 1.3), (0.5, 0.95))]

    assert verdicts == ["grows", "no change that can be told", "falls"]


def test_three_batch_sizes_or_values_without_a_logarithm_say_nothing() -> None:
    assert trend({2: 1.0, 4: 2.0, 8: 3.0}) is None
    assert trend({2: 1.0, 4: 2.0, 8: 3.0, 16: math.inf, 32: math.nan, 64: 0.0}) is None


def test_the_distance_from_the_start_has_its_line_in_log_t() -> None:
    steps = [1, 2, 4, 10, 30, 100, 300, 1000]
    exact = log_fit(steps, [0.5 + 1.5 * math.log(each) for each in steps])
    diffusion = log_fit(steps, [math.sqrt(each) for each in steps])

    assert exact is not None
    assert (exact.start, exact.growth, exact.explained) == pytest.approx((0.5, 1.5, 1.0))
    assert diffusion is not None
    assert diffusion.explained < 0.9


def test_a_distance_that_never_changes_or_is_not_known_has_no_line() -> None:
    assert log_fit([1, 2, 3, 4], [2.0] * 4) is None
    assert log_fit([1, 2, 3], [1.0, 2.0, 3.0]) is None
    assert log_fit([1, 2, 3, 4], [1.0, 2.0, 3.0, math.inf]) is None

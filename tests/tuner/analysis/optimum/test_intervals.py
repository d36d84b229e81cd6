import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.analysis.optimum.intervals import median_interval


@pytest.mark.parametrize(
    ("seeds", "left_out", "coverage"),
    [(1, 0, 0.0), (2, 0, 0.5), (5, 0, 0.9375), (8, 1, 0.9297), (9, 1, 0.9609), (20, 5, 0.9586), (64, 24, 0.9401)],
)
def test_the_interval_of_a_median_is_the_tabulated_one(seeds: int, left_out: int, coverage: float) -> None:
    found = median_interval([float(each) for each in range(seeds)])

    assert (found.low, found.high) == (left_out, seeds - 1 - left_out)
    assert found.coverage == pytest.approx(coverage, abs=1e-4)


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).exponential(size=(4000, 7))

    intervals = [median_interval(each.tolist()) for each in draws]

    covered = np.mean([each.low < math.log(2) < each.high for each in intervals])
    assert covered == pytest.approx(intervals[0].coverage, abs=0.01)


def test_an_interval_ends_at_infinity_if_so_many_seeds_did_not_reach_the_target() -> None:
    assert median_interval([30, 31, math.inf, 33, 34]).high == math.inf
    assert median_interval([*range(10, 18), math.inf]).high == 17
    assert median_interval([math.inf] * 3).low == math.inf


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        median_interval([])


@given(st.lists(st.one_of(st.integers(1, 4000).map(float), st.just(math.inf)), min_size=1, max_size=12))
def test_an_interval_holds_the_median_of_its_own_values(values: list[float]) -> None:
    found = median_interval(values)

    assert found.low <= median(values) <= found.high
    assert 0 <= found.coverage < 1

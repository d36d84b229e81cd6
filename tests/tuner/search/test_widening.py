"""A box whose learning rates end far below the best is widened until the search ends where a wide one does."""

import pytest

from tests.benchmarks.widening import NARROW, measure


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "seed"), [("digits/256", 0), ("digits/256", 3), ("digits/256", 4), ("nqm/4096", 0), ("nqm/16384", 3)]
)
def test_a_narrow_start_ends_within_a_fifth_of_the_wide_result_and_a_wide_one_is_left_alone(
    problem: str, seed: int
) -> None:
    row = measure(problem, seed=seed)

    assert row.space[1] > NARROW.high
    assert row.ratio <= 1.2
    assert row.wide_rounds == 1

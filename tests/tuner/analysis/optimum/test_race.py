import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.analysis.optimum.race import choosing_runs, heats, ranked


@pytest.mark.parametrize(
    ("many", "seeds", "expected"),
    [
        (10, 4, ((10, 1), (5, 2), (3, 4))),
        (8, 4, ((8, 1), (4, 2), (2, 4))),
        (5, 5, ((5, 1), (3, 2), (2, 4))),
        (3, 1, ((3, 1),)),
        (2, 4, ((2, 1),)),
        (1, 4, ()),
        (0, 4, ()),
    ],
)
def test_half_of_the_candidates_stay_and_have_as_many_seeds_again(
    many: int, seeds: int, expected: tuple[tuple[int, int], ...]
) -> None:
    assert heats(many, seeds) == expected


def test_the_runs_of_a_race_are_those_of_its_heats() -> None:
    assert choosing_runs(10, 4) == 10 + 5 + 3 * 2
    assert choosing_runs(1, 4) == 0


def test_the_candidate_with_the_lowest_mean_rank_is_first_and_of_equals_the_earlier() -> None:
    assert ranked([[40, 50], [30, 45], [60, 35]]) == [1, 0, 2]
    assert ranked([[50, 50], [50, 50]]) == [0, 1]


def test_one_unlucky_seed_outweighs_no_two_lucky_ones() -> None:
    assert ranked([[20, 21, 4000], [30, 31, 32]])[0] == 0


def test_seeds_that_did_not_reach_the_target_rank_behind_all_that_did() -> None:
    assert ranked([[math.inf, 30], [900, 800], [math.inf, math.inf]]) == [1, 0, 2]


@given(st.lists(st.lists(st.integers(1, 50), min_size=3, max_size=3), min_size=1, max_size=8))
def test_only_the_order_of_steps_counts(steps: list[list[int]]) -> None:
    assert ranked(steps) == ranked([[each**3 for each in row] for row in steps])


def test_a_race_finds_the_best_of_ten_more_often_than_as_many_runs_spread_evenly() -> None:
    generator = np.random.default_rng(0)
    true = np.linspace(0, 0.6, 10)  # log steps: the worst takes 1.8 times the steps of the best
    hits = {"race": 0.0, "even": 0.0}
    for _ in range(400):
        seeds = np.exp(true[:, None] + 0.25 * generator.standard_normal((10, 4)))
        left = list(range(10))
        for many, each in heats(10, 4):
            left = left[:many]
            order = ranked([list(seeds[one, :each]) for one in left])
            left = [left[one] for one in order]
        hits["race"] += true[left[0]]
        hits["even"] += true[ranked([list(row[:2]) for row in seeds])[0]]

    assert hits["race"] < 0.85 * hits["even"]

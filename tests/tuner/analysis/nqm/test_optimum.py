"""Exact optima, and what Zhang et al. (2019) found with them."""

from functools import cache
from itertools import repeat

import numpy as np
import pytest

from tests.tuner.analysis.nqm.recursions import first_below, losses
from tuner.analysis.nqm import (
    Box,
    Method,
    Never,
    Optimum,
    Rule,
    lower_bound,
    noisy_quadratic,
    optimal,
    optimal_schedule,
    power_law,
    steps_to_target,
)

AUTHORS = power_law()
SGD, HEAVY_BALL, AVERAGE = Rule(), Rule(Method.HEAVY_BALL, 0.0), Rule(Method.AVERAGE)
SMALL, LARGE = 16, 2**18


@cache
def best(rule: Rule, batch_size: int, most: float = 0.9999) -> Optimum:
    box = Box((1e-5, 10.0), (0.0, most))
    return optimal(AUTHORS, rule, batch_size=batch_size, target=0.01, box=box)


def fewest(rule: Rule, batch_size: int, most: float = 0.9999) -> int:
    steps = best(rule, batch_size, most).steps
    assert isinstance(steps, int)
    return steps


@pytest.mark.parametrize(
    ("power", "batch_size", "steps"),
    [
        (0.0, 4, 1_508_044),
        (0.0, 64, 95_634),
        (0.0, 1024, 10_610),
        (0.0, 16_384, 7_448),
        (0.0, 1_048_576, 7_269),
        (0.5, 4, 345_705),
        (0.5, 64, 21_589),
        (0.5, 1024, 1_367),
        (0.5, 16_384, 107),
        (0.5, 1_048_576, 85),
    ],
)
def test_the_optimum_is_never_worse_than_a_known_one(power: float, batch_size: int, steps: int) -> None:
    assert fewest(Rule(power=power), batch_size) <= steps


@pytest.mark.parametrize("rule", [SGD, HEAVY_BALL, AVERAGE, Rule(Method.HEAVY_BALL, 0.5)])
@pytest.mark.parametrize("batch_size", [1024, 2**16])
def test_an_optimum_holds_in_the_recursion(rule: Rule, batch_size: int) -> None:
    found = best(rule, batch_size)
    rate, *rest = found.parameters.values()

    curve = losses(
        AUTHORS, rule, batch_size=batch_size, rates=repeat(rate), coefficient=sum(rest),
        steps=fewest(rule, batch_size), in_decimals=False,
    )  # fmt: skip

    assert first_below(curve, 0.01) == found.steps


@pytest.mark.parametrize("rule", [SGD, HEAVY_BALL, AVERAGE])
@pytest.mark.parametrize("batch_size", [64, 4096, 2**20])
def test_no_point_of_a_grid_beats_the_optimum(rule: Rule, batch_size: int) -> None:
    memories = [0.0] if rule is SGD else 1 - np.geomspace(1, 1e-4, 15)
    limit = fewest(rule, batch_size)

    for coefficient in memories:
        for rate in np.logspace(-5, 0.5, 30):
            steps = steps_to_target(
                AUTHORS, rule, batch_size=batch_size, learning_rate=rate, coefficient=coefficient, target=0.01
            )

            assert isinstance(steps, Never) or steps >= limit


@pytest.mark.parametrize(("batch_size", "steps"), [(2**14, 342), (2**16, 182), (2**18, 159), (2**20, 152)])
def test_heavy_balls_optimum_is_that_of_a_search_a_hundred_times_as_long(batch_size: int, steps: int) -> None:
    # Differential evolution, 3,400 evaluations each; SciPy 1.17, seed 0.
    assert fewest(HEAVY_BALL, batch_size) <= steps


def test_an_optimum_says_where_it_is() -> None:
    assert best(SGD, 64).parameters.keys() == {"learning_rate"}
    assert best(HEAVY_BALL, 64).parameters.keys() == {"learning_rate", "momentum"}
    assert best(AVERAGE, 64).parameters.keys() == {"learning_rate", "averaging"}


def test_an_optimum_is_the_same_every_time() -> None:
    once, again = (optimal(AUTHORS, HEAVY_BALL, batch_size=4096, target=0.01) for _ in range(2))

    assert once == again


def test_an_optimum_stays_in_its_box() -> None:
    box = Box((0.01, 0.1), (0.5, 0.8))

    found = optimal(AUTHORS, HEAVY_BALL, batch_size=1024, target=0.01, box=box)

    assert found.parameters["learning_rate"] == pytest.approx(0.1)
    assert found.parameters["momentum"] == pytest.approx(0.8)


def test_a_box_in_which_nothing_reaches_the_target_says_so() -> None:
    assert optimal(AUTHORS, SGD, batch_size=4, target=0.01, box=Box((1.0, 1.5))).steps is Never.FLOOR


def test_a_box_in_which_everything_diverges_says_so() -> None:
    assert optimal(AUTHORS, SGD, batch_size=4, target=0.01, box=Box((3.0, 4.0))).steps is Never.DIVERGES


def test_a_single_direction_without_noise_is_solved_in_one_step() -> None:
    found = optimal(noisy_quadratic([0.5], noise=0.0), batch_size=1, target=1e-3)

    assert found.steps == 1
    assert found.parameters["learning_rate"] == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box((2.0, 1.0)), r"learning_rate = \(2, 1\) must hold positive numbers, the lower one first"),
        (Box((0.0, 1.0), (0.5, 1.0)), r"coefficient = \(0.5, 1\) must lie in \[0, 1\), the lower one first"),
    ],
)
def test_an_empty_box_is_refused(box: Box, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optimal(AUTHORS, SGD, batch_size=4, target=0.01, box=box)


def test_steps_halve_with_each_doubling_until_they_reach_a_floor() -> None:
    assert fewest(SGD, 4) / fewest(SGD, 16) == pytest.approx(4, rel=0.02)
    assert fewest(SGD, 16) / fewest(SGD, 64) == pytest.approx(4, rel=0.03)
    assert fewest(SGD, 2**18) / fewest(SGD, 2**20) == pytest.approx(1, rel=0.01)


def test_momentum_helps_at_large_batches_only() -> None:
    # Up to 0.99. Beyond it the slow swing of all directions at once can be timed to pass the target, which only a
    # first crossing rewards: 16 % fewer steps at batch size 64, with momentum 0.99988.
    assert fewest(HEAVY_BALL, SMALL, 0.99) > 0.99 * fewest(SGD, SMALL)
    assert fewest(HEAVY_BALL, LARGE, 0.99) < 0.05 * fewest(SGD, LARGE)


def test_momentum_extends_perfect_scaling() -> None:
    assert fewest(SGD, 256) / fewest(SGD, 4096) < 4
    assert fewest(HEAVY_BALL, 256) / fewest(HEAVY_BALL, 4096) == pytest.approx(16, rel=0.02)


@pytest.mark.parametrize("batch_size", [SMALL, 1024, LARGE])
def test_preconditioning_helps_everywhere(batch_size: int) -> None:
    assert fewest(Rule(power=0.75), batch_size) < fewest(Rule(power=0.5), batch_size) < 0.5 * fewest(SGD, batch_size)


def test_preconditioning_extends_perfect_scaling() -> None:
    for power in (0.5, 0.75):
        rule = Rule(power=power)

        assert fewest(rule, 16) / fewest(rule, 1024) == pytest.approx(64, rel=0.02)


def test_averaging_helps_at_small_batches_only() -> None:
    assert fewest(AVERAGE, SMALL) < 0.2 * fewest(SGD, SMALL)
    assert fewest(AVERAGE, LARGE) > 0.98 * fewest(SGD, LARGE)


def test_a_schedule_closes_the_gap_to_the_bound_at_small_batches_only() -> None:
    def gaps(batch_size: int) -> tuple[float, float]:
        bound = lower_bound(AUTHORS, batch_size=batch_size, target=0.01)
        scheduled = optimal_schedule(AUTHORS, batch_size=batch_size, target=0.01, pieces=8)
        assert isinstance(scheduled.steps, int)
        return fewest(SGD, batch_size) / bound, scheduled.steps / bound

    small, large = gaps(4), gaps(LARGE)
    assert small[0] > 12
    assert small[1] < 1.8
    assert large[1] > 0.98 * large[0]


def test_the_best_schedule_starts_fastest_and_larger_batches_decay_later() -> None:
    def fast_share(batch_size: int) -> float:
        found = optimal_schedule(AUTHORS, batch_size=batch_size, target=0.01, pieces=6)
        assert list(found.schedule.learning_rates) == sorted(found.schedule.learning_rates, reverse=True)
        assert found.schedule.learning_rates[0] == pytest.approx(2.0, rel=1e-3)
        assert isinstance(found.steps, int)
        return found.schedule.lengths[0] / found.steps

    assert fast_share(64) < fast_share(256) < fast_share(1024)


def test_more_pieces_are_never_worse() -> None:
    found = [optimal_schedule(AUTHORS, batch_size=64, target=0.01, pieces=pieces).steps for pieces in (1, 2, 3, 4)]

    assert found[0] == fewest(SGD, 64)
    assert found == sorted(found, reverse=True)


def test_a_scheduled_optimum_holds_in_the_recursion() -> None:
    model = power_law(200, bins=None)
    found = optimal_schedule(model, batch_size=8, target=0.1, pieces=3, power=0.25)
    assert isinstance(found.steps, int)
    schedule = found.schedule
    rates = np.repeat(schedule.learning_rates, [*schedule.lengths, found.steps])

    curve = losses(model, Rule(power=0.25), batch_size=8, rates=iter(rates), coefficient=0.0, steps=found.steps)

    assert len(schedule.learning_rates) == 3
    assert first_below(curve, 0.1) == found.steps


def test_a_schedule_of_no_pieces_is_refused() -> None:
    with pytest.raises(ValueError, match="pieces = 0 must be at least 1"):
        optimal_schedule(AUTHORS, batch_size=4, target=0.01, pieces=0)

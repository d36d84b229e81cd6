import math

import numpy as np
import pytest

from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint
from tuner.analysis.scaling.doubts import doubts
from tuner.experiment import GoalSettings

GOAL = GoalSettings("validation/error", within_steps=100_000, below=0.03)
SIZES = [2**exponent for exponent in range(1, 11)]


def point(batch_size: int, *steps: float) -> ScalingPoint:
    return ScalingPoint(batch_size, float(np.median(steps)), tuple(steps), {})


def around(batch_size: int, steps: float) -> ScalingPoint:
    """A median with seeds a tenth on either side."""
    return point(batch_size, *(round(steps * each, 1) for each in (0.9, 0.95, 1, 1.05, 1.1)))


def sound(batch_size: int, generator: np.random.Generator, *, factor: float = 1.0) -> ScalingPoint:
    """Five seeds, a quarter apart, on a curve with critical batch size 90."""
    steps = 20 * (1 + 90 / batch_size) * factor
    return point(batch_size, *np.round(steps * np.exp(0.25 * generator.standard_normal(5))))


def doubted(*points: ScalingPoint, unreached: tuple[int, ...] = (), goal: GoalSettings = GOAL) -> list[int]:
    return [each.batch_size for each in doubts(ScalingCurve(points, unreached), goal)]


def test_an_optimum_with_more_steps_than_a_smaller_batch_size_is_in_doubt() -> None:
    curve = ScalingCurve((around(64, 48), around(128, 31), around(256, 119)))

    (found,) = doubts(curve, GOAL)

    assert (found.batch_size, found.steps, found.most, found.others) == (256, 119, 31, (128,))
    assert found.sentence == (
        "The optimum of batch size 256 is in doubt: it takes 119 steps, "
        "and by batch size 128 it should take at most 31."
    )


def test_steps_that_fall_faster_than_perfect_scaling_put_the_smaller_batch_size_in_doubt() -> None:
    assert doubted(around(8, 900), around(32, 100)) == [8]
    assert doubted(around(8, 400), around(32, 100)) == []


def test_a_curve_that_bends_the_wrong_way_is_in_doubt_where_it_does() -> None:
    curve = ScalingCurve((around(8, 200), around(16, 190), around(32, 100)))

    (found,) = doubts(curve, GOAL)

    assert (found.batch_size, found.others) == (16, (8, 32))
    assert found.most == pytest.approx(math.sqrt(200 * 100))


def test_what_seeds_allow_is_not_doubted() -> None:
    assert doubted(point(64, 40, 48, 60, 44, 52), point(128, 30, 55, 61, 58, 41)) == []


def test_a_difference_of_a_tenth_is_not_worth_a_doubt_however_certain() -> None:
    assert doubted(point(64, *[100] * 5), point(128, *[109] * 5)) == []


def test_a_study_that_missed_a_target_which_its_budget_allowed_is_in_doubt() -> None:
    assert doubted(around(64, 48), unreached=(128,)) == [128]
    assert doubts(ScalingCurve((around(64, 48),), (128,)), GOAL)[0].steps == math.inf
    assert doubted(around(64, 48), unreached=(16,)) == [16]


def test_a_budget_that_was_too_small_explains_a_target_that_was_missed() -> None:
    small = GoalSettings("validation/error", within_steps={16: 150, 64: 1000}, below=0.03)

    assert doubted(around(64, 48), unreached=(16,), goal=small) == []


def test_nothing_is_doubted_without_another_batch_size() -> None:
    assert doubted(around(64, 48)) == []
    assert doubted(unreached=(64, 128)) == []


def test_three_times_the_steps_is_found_and_few_sound_optima_are_doubted() -> None:
    generator = np.random.default_rng(0)
    wrong = found = 0
    for trial in range(30):
        bad = SIZES[trial % len(SIZES)]
        named = doubted(*(sound(each, generator, factor=3.0 if each == bad else 1.0) for each in SIZES))
        found += bad in named
        wrong += len([each for each in named if each != bad])

    assert found == 30
    assert wrong <= 0.05 * 30 * (len(SIZES) - 1)

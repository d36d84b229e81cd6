"""When a curve shows that a trial will not reach its target in time."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.experiment.goals import ReachTarget
from tuner.experiment.goals.early_stopping import is_hopeless
from tuner.objective import Target
from tuner.trial import Measurement, Outcome

GOAL = ReachTarget("validation/error", Target(0.01), within_steps=1000)


def curve(error: Callable[[int], float], *, steps: int) -> list[Measurement]:
    """Measured at every step."""
    return [Measurement(step, {"train/loss": 1.0, "validation/error": error(step)}) for step in range(1, steps + 1)]


def hopeless(error: Callable[[int], float], *, steps: int, optimism: float, limit: int = 1000) -> bool:
    return is_hopeless(
        curve(error, steps=steps),
        metric="validation/error",
        distance=GOAL.distance,
        goal=0.01,
        limit=limit,
        optimism=optimism,
    )


def test_a_power_law_is_hopeless_if_it_is_too_shallow_by_more_than_the_optimism() -> None:
    """`1 / sqrt(t)` from 1: at step 100 it is at 0.1 and has one decade of steps for one decade of error."""

    def shallow(step: int) -> float:
        return float(1 / math.sqrt(step))

    assert hopeless(shallow, steps=100, optimism=1.9)
    assert not hopeless(shallow, steps=100, optimism=2.1)


def test_a_curve_that_stands_still_is_hopeless_however_near_the_target() -> None:
    assert hopeless(lambda _: 0.0101, steps=100, optimism=1000.0)


def test_nothing_is_hopeless_to_infinite_optimism() -> None:
    assert not hopeless(lambda _: 0.5, steps=999, optimism=math.inf)


@pytest.mark.parametrize(("steps", "limit"), [(99, 1000), (19, 100), (1, 5)])
def test_early_steps_decide_nothing(steps: int, limit: int) -> None:
    assert not hopeless(lambda _: 0.5, steps=steps, optimism=1.0, limit=limit)


def test_a_curve_whose_first_half_is_not_finite_is_not_judged() -> None:
    assert not hopeless(lambda step: math.nan if step <= 50 else 0.5, steps=100, optimism=1.0)


@given(st.floats(0.2, 3.0), st.floats(1.0, 10.0))
def test_a_power_law_that_arrives_in_time_is_never_cut(slope: float, optimism: float) -> None:
    start = 0.0099 * 1000**slope

    assert not any(hopeless(lambda step: start * step**-slope, steps=steps, optimism=optimism) for steps in (100, 300))


def test_a_trial_without_hope_is_censored_where_it_stands() -> None:
    measured = curve(lambda _: 0.5, steps=100)

    result = GOAL.judge(measured, optimism=8.0)

    assert result is not None
    assert (result.outcome, result.steps, result.limit, result.spent) == (Outcome.CENSORED, 100, 1000, 100)


def test_an_estimate_counts_as_a_standard_deviation_better_than_it_is() -> None:
    """4 % of 400 examples may be 3 %. So a curve that stands still there is not hopeless, as it is at 4 % of all."""
    steps = range(1, 101)
    exact = [Measurement(step, {"train/loss": 1.0, "validation/error": 0.04}) for step in steps]
    estimates = [Measurement(each.step, each.metrics, {"validation/error": 400}) for each in exact]

    found = [
        is_hopeless(measured, metric="validation/error", distance=GOAL.distance, goal=below, limit=1000, optimism=8.0)
        for measured in (exact, estimates)
        for below in (0.0301, 0.029)
    ]

    assert found == [True, True, False, True]


def test_its_loss_is_no_better_than_that_of_its_limit() -> None:
    result = GOAL.judge(curve(lambda _: 0.0101, steps=100), optimism=8.0)

    assert result is not None
    assert GOAL.loss(result) >= math.log2(1000)


def at(*points: tuple[int, float], limit: int = 1000, optimism: float = 2.0) -> bool:
    """Whether a curve of these steps and errors is hopeless."""
    measured = [Measurement(step, {"train/loss": 1.0, "validation/error": error}) for step, error in points]
    return is_hopeless(
        measured, metric="validation/error", distance=GOAL.distance, goal=0.01, limit=limit, optimism=optimism
    )


def test_the_slope_is_that_of_the_last_doubling_and_no_longer_stretch() -> None:
    """From step 100 to 200 the error falls by a quarter of a doubling; from step 50 it has fallen steeply."""
    assert at((50, 0.9), (100, 0.1), (200, 0.1 / 2**0.25), optimism=5.0)
    assert not at((50, 0.9), (200, 0.1 / 2**0.25), optimism=5.0)


def test_a_measurement_at_exactly_half_the_steps_counts() -> None:
    assert not at((10, 0.9), (100, 0.5), (200, 0.1), optimism=1.5)
    assert at((10, 0.9), (100, 0.11), (200, 0.1), optimism=5.0)


def test_without_a_measurement_in_the_first_half_nothing_is_said() -> None:
    assert not at((200, 0.5))
    assert not at((150, 0.6), (200, 0.5))


def test_at_its_limit_a_trial_is_judged_by_the_limit() -> None:
    assert not at((500, 0.5), (1000, 0.5))


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_a_curve_without_a_finite_error_is_not_hopeless(error: float) -> None:
    assert not at((100, error), (200, error), optimism=1.0)


def test_a_trial_below_its_target_is_not_hopeless() -> None:
    assert not at((100, 0.5), (200, 0.009), optimism=1.0)

"""The goal decides when a trial ends, and what the sampler is told."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tuner.experiment.goals import ReachTarget
from tuner.objective import Target
from tuner.trial import Measurement, Outcome, TrialResult

GOAL = ReachTarget("validation/error", Target(0.03), within_steps=4000)


def curve(*errors: float, first: int = 1, losses: Sequence[float] | None = None) -> list[Measurement]:
    """Measurements at successive steps; the training loss falls unless given."""
    losses = losses or [1 / (step + 1) for step in range(len(errors))]
    return [
        Measurement(first + index, {"train/loss": loss, "validation/error": error})
        for index, (error, loss) in enumerate(zip(errors, losses, strict=True))
    ]


def ended(measured: list[Measurement], cap: int | None = None) -> TrialResult:
    """The verdict on a curve that has ended."""
    result = GOAL.judge(measured, cap=cap)
    assert result is not None
    return result


def test_the_target_must_be_beaten_not_met() -> None:
    assert GOAL.judge(curve(0.9, 0.03)) is None
    assert ended(curve(0.9, 0.03, 0.0299)).steps == 3


def test_a_trial_at_its_cap_is_censored_there() -> None:
    result = ended(curve(0.9, 0.5, 0.4), cap=3)

    assert (result.outcome, result.steps, result.limit) == (Outcome.CENSORED, 3, 3)


def test_a_trial_that_was_past_its_cap_before_it_diverged_is_censored() -> None:
    measured = curve(0.9, 0.5, 0.4, 0.9, losses=[1.0, 0.5, 0.4, math.nan])

    assert (ended(measured, cap=3).outcome, ended(measured, cap=4).outcome) == (Outcome.CENSORED, Outcome.INFEASIBLE)


def test_a_target_met_at_the_cap_itself_is_achieved() -> None:
    assert ended(curve(0.9, 0.5, 0.02), cap=3).outcome is Outcome.ACHIEVED


def test_a_target_met_beyond_the_budget_is_censored_at_the_budget() -> None:
    result = ended(curve(0.02, first=4054))

    assert (result.outcome, result.steps, result.spent) == (Outcome.CENSORED, 4000, 4054)


def test_a_loss_that_is_not_finite_is_infeasible_even_below_the_target() -> None:
    assert ended(curve(0.01, losses=[math.nan])).outcome is Outcome.INFEASIBLE


def test_a_loss_that_stays_above_the_initial_loss_is_infeasible_at_the_batch_size_of_the_study() -> None:
    diverging = curve(*[0.9] * 27, losses=[1.0] + [2.0] * 26)

    assert replace(GOAL, batch_size=256).judge(diverging) == TrialResult(
        Outcome.INFEASIBLE, 27, GOAL.within_steps, tuple(diverging)
    )
    assert replace(GOAL, batch_size=2).judge(diverging) is None


def test_achieved_trials_are_told_as_the_logarithm_of_their_steps() -> None:
    assert GOAL.loss(TrialResult(Outcome.ACHIEVED, 64, 4000, tuple(curve(0.02)))) == 6.0


def test_a_censored_trial_is_told_as_at_least_its_limit_and_more_the_further_it_fell_short() -> None:
    losses = [GOAL.loss(ended(curve(0.9, error), cap=2)) for error in (0.0301, 0.06, 0.12)]

    assert losses[0] == pytest.approx(math.log2(2), abs=0.01)
    assert losses[1:] == pytest.approx([2.0, 3.0])


def test_a_diverged_trial_is_told_as_twice_as_far_from_the_target() -> None:
    diverged = ended(curve(0.9, 0.24, 0.9, losses=[1.0, 0.5, math.inf]), cap=64)

    assert GOAL.loss(diverged) == pytest.approx(math.log2(64) + math.log2(0.24 / 0.03) + 1)


def test_a_metric_that_was_never_finite_still_gives_a_finite_loss() -> None:
    assert math.isfinite(GOAL.loss(ended(curve(math.nan, losses=[math.nan]))))


@pytest.mark.parametrize(
    ("below", "steps", "message"), [(0.0, 10, "below = 0"), (math.inf, 10, "below = inf"), (0.1, 0, "within_steps = 0")]
)
def test_an_impossible_goal_says_why(below: float, steps: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReachTarget("validation/error", Target(below), within_steps=steps)


def test_a_metric_that_was_not_measured_at_a_step_reaches_nothing() -> None:
    assert GOAL.judge([Measurement(1, {"train/loss": 1.0})]) is None


def test_a_budget_of_one_step_is_enough() -> None:
    assert ReachTarget("validation/error", Target(0.03), within_steps=1).within_steps == 1


def test_a_trial_that_was_past_its_cap_ends_there_with_its_whole_curve() -> None:
    measured = curve(0.9, 0.01)

    assert ended(measured, cap=1) == TrialResult(Outcome.CENSORED, 1, 1, tuple(measured))


def test_the_limit_of_a_trial_that_reached_its_target_is_its_cap_or_its_budget() -> None:
    measured = curve(0.9, 0.01)

    assert ended(measured, cap=7) == TrialResult(Outcome.ACHIEVED, 2, 7, tuple(measured))
    assert ended(measured) == TrialResult(Outcome.ACHIEVED, 2, 4000, tuple(measured))

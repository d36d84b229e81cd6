"""Divergence means the same at every batch size: a loss over enough examples is above the initial loss for long."""

import math
from collections.abc import Callable

import pytest

from objectives.training.measuring.grid import next_measurement
from tuner.experiment.goals.divergence import has_diverged
from tuner.trial import Measurement

LONG = 20_000


def end(loss: Callable[[int], float], *, batch_size: int, initial: float = 1.0) -> int | None:
    """The step at which a trial with these losses, one a step, has diverged; None if it never does."""
    curve = [Measurement(1, {"train/loss": initial})]
    while curve[-1].step < LONG:
        before, step = curve[-1].step, next_measurement(curve[-1].step)
        mean = math.fsum(map(loss, range(before + 1, step + 1))) / (step - before)
        curve.append(Measurement(step, {"train/loss": mean}))
        if has_diverged(curve, batch_size=batch_size, metric="validation/error"):
            return step
    return None


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_has_diverged_at_once(loss: float) -> None:
    assert has_diverged([Measurement(1, {"train/loss": loss})], batch_size=2, metric="validation/error")
    assert end(lambda step: loss if step == 7 else 0.5, batch_size=2) == 7


@pytest.mark.parametrize(("batch_size", "step"), [(1024, 27), (256, 27), (64, 28), (8, 52), (2, 150)])
def test_a_mean_over_256_examples_after_step_twenty_and_all_in_the_last_quarter_have_to_be_too_high(
    batch_size: int, step: int
) -> None:
    assert end(lambda _: 2.0, batch_size=batch_size) == step


def test_a_trial_that_is_above_for_less_than_the_last_quarter_of_its_steps_has_not_diverged() -> None:
    assert end(lambda step: 2.0 if 1000 < step <= 1250 else 0.5, batch_size=64) is None
    assert end(lambda step: 2.0 if 1000 < step <= 1500 else 0.5, batch_size=64) == 1319


@pytest.mark.parametrize("initial", [1.0, -1.0])
def test_a_loss_that_stays_near_the_initial_loss_has_not_diverged(initial: float) -> None:
    assert end(lambda _: initial + 0.04, batch_size=64, initial=initial) is None
    assert end(lambda _: initial + 0.06, batch_size=64, initial=initial) == 28


def test_single_examples_far_above_the_initial_loss_do_not_end_a_trial() -> None:
    assert end(lambda step: 20.0 if step % 40 < 3 else 0.1, batch_size=2, initial=2.0) is None


def test_one_mean_in_every_fifth_of_the_steps_that_is_low_enough_spares_a_trial() -> None:
    assert end(lambda step: 0.5 if math.log(step) % 0.2 < 0.08 else 2.0, batch_size=256) is None


def test_without_a_training_loss_the_goals_metric_tells() -> None:
    def measured(*errors: float) -> list[Measurement]:
        return [Measurement(step, {"validation/error": error}) for step, error in enumerate(errors, start=1)]

    assert not has_diverged(measured(*[0.9] * 200), batch_size=256, metric="validation/error")
    assert has_diverged(measured(0.9, math.nan), batch_size=256, metric="validation/error")
    assert not has_diverged([Measurement(1, {"test/error": math.nan})], batch_size=256, metric="validation/error")


def test_measurements_without_a_training_loss_are_no_part_of_a_mean() -> None:
    between = [Measurement(step, {"train/loss": 1.0 if step == 1 else 2.0}) for step in range(1, 40)]
    sparse = [each for one in between for each in (one, Measurement(one.step, {"validation/error": 0.9}))]

    assert has_diverged(sparse, batch_size=256, metric="validation/error")
    assert not has_diverged(sparse[:30], batch_size=256, metric="validation/error")

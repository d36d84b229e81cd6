"""Settings of the noisy quadratic model that make no sense are refused with the value in the message."""

import numpy as np
import pytest

from tuner.analysis.nqm import (
    LinearDecay,
    Method,
    PiecewiseConstant,
    Rule,
    expected_loss,
    power_law,
    steps_to_target,
)

AUTHORS = power_law()
HEAVY_BALL, AVERAGE = Rule(Method.HEAVY_BALL), Rule(Method.AVERAGE)


@pytest.mark.parametrize(
    ("rule", "changes", "message"),
    [
        (Rule(), {"learning_rate": 0.0}, "learning_rate = 0 must be a positive number"),
        (Rule(), {"learning_rate": np.nan}, "learning_rate = nan must be a positive number"),
        (Rule(), {"coefficient": 0.5}, "coefficient = 0.5 has no meaning for plain sgd; leave it 0"),
        (HEAVY_BALL, {"coefficient": 1.0}, r"momentum = 1 must lie in \[0, 1\)"),
        (AVERAGE, {"coefficient": -0.1}, r"averaging = -0.1 must lie in \[0, 1\)"),
        (Rule(), {"batch_size": 0.5}, "batch_size = 0.5 must be at least 1"),
        (Rule(), {"target": 0.0}, "target = 0 must be a positive loss"),
        (Rule(), {"target": 4.8}, "target = 4.8 is above the initial loss of 4.7025; choose a lower one"),
    ],
)
def test_settings_that_make_no_sense_are_refused(rule: Rule, changes: dict[str, float], message: str) -> None:
    given = {"batch_size": 64.0, "learning_rate": 0.1, "coefficient": 0.0, "target": 0.01} | changes

    with pytest.raises(ValueError, match=message):
        steps_to_target(
            AUTHORS, rule, batch_size=given["batch_size"], learning_rate=given["learning_rate"],
            coefficient=given["coefficient"], target=given["target"],
        )  # fmt: skip


def test_a_power_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"power = 1.5 must lie in \[0, 1\]"):
        Rule(power=1.5)


def test_a_step_before_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="steps holds -1; give 0 to"):
        expected_loss(AUTHORS, steps=[3, -1], batch_size=4, learning_rate=0.1)


@pytest.mark.parametrize(
    ("rates", "lengths", "message"),
    [
        ((0.1, 0.01), (), "2 learning_rates and 0 lengths: give a length for each piece but the last"),
        ((0.1, 0.0), (5,), "learning_rates holds 0; every rate must be a positive number"),
        ((0.1, 0.01), (0,), "lengths holds 0; every piece must last at least 1 step"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(rates: tuple[float, ...], lengths: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PiecewiseConstant(rates, lengths)


@pytest.mark.parametrize(
    ("rate", "end_factor", "decay_steps", "message"),
    [
        (0.0, 0.5, 10, "learning_rate = 0 must be a positive number"),
        (0.1, 0.0, 10, "end_factor = 0 must be above 0 and at most 1"),
        (0.1, 0.5, 0, "decay_steps = 0 must be at least 1"),
    ],
)
def test_a_decay_that_makes_no_sense_is_refused(rate: float, end_factor: float, decay_steps: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearDecay(rate, end_factor, decay_steps)

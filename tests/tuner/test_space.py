"""Ranges know their scale; a space decodes positions into itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.space import Choice, Fixed, Range, Scale, SearchSpace

SPACE = SearchSpace(
    {
        "learning_rate": Range(1e-3, 10.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.999, scale=Scale.REVERSE_LOG),
        "width": Range(1, 9, integer=True),
        "activation": Choice(("relu", "tanh")),
        "decay": Fixed(0.5),
    }
)
POSITIONS = st.lists(st.floats(0, 1), min_size=4, max_size=4)


def ranges() -> st.SearchStrategy[Range]:
    """Ranges of every scale, wide enough for twelve digits to tell their ends apart."""
    linear = st.builds(lambda low, width: Range(low, low + width), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3))
    log = st.builds(
        lambda low, factor: Range(low, low * factor, scale=Scale.LOG), st.floats(1e-6, 1e3), st.floats(1.1, 1e6)
    )
    reverse = st.builds(lambda high: Range(0.0, high, scale=Scale.REVERSE_LOG), st.floats(0.1, 0.9999))
    return st.one_of(linear, log, reverse)


def test_the_middle_of_a_log_range_is_the_geometric_mean() -> None:
    assert Range(1e-3, 10.0, scale=Scale.LOG).at(0.5) == pytest.approx(0.1, rel=1e-12)


def test_the_middle_of_a_reverse_log_range_is_the_geometric_mean_of_one_minus_the_value() -> None:
    assert 1 - Range(0.0, 0.9999, scale=Scale.REVERSE_LOG).at(0.5) == pytest.approx(math.sqrt(1e-4), rel=1e-9)


@given(ranges(), st.floats(0, 1))
def test_a_position_decodes_into_the_range_and_back(range_: Range, position: float) -> None:
    value = range_.at(position)

    assert value in range_
    assert range_.position(value) == pytest.approx(position, abs=1e-5)


@given(ranges())
def test_the_ends_are_at_zero_and_one(range_: Range) -> None:
    assert (range_.position(range_.low), range_.position(range_.high)) == (0.0, 1.0)


@given(POSITIONS)
def test_a_space_decodes_every_position_into_itself(position: list[float]) -> None:
    assert SPACE.at(position) in SPACE


def test_a_space_refuses_points_with_other_names_or_values_outside() -> None:
    point = SPACE.at([0.5] * 4)

    assert {**point, "learning_rate": 11.0} not in SPACE
    assert {**point, "extra": 1.0} not in SPACE
    assert {name: value for name, value in point.items() if name != "decay"} not in SPACE


def test_choices_share_the_unit_interval_evenly() -> None:
    choice = Choice(("a", "b", "c", "d"))

    assert [choice.at(each) for each in (0.0, 0.24, 0.25, 0.5, 0.76, 1.0)] == ["a", "a", "b", "c", "d", "d"]


@pytest.mark.parametrize(
    ("low", "high", "scale", "integer", "message"),
    [
        (1.0, 1.0, Scale.LINEAR, False, "low = 1 must be less than high = 1"),
        (0.0, 1.0, Scale.LOG, False, "low = 0 must be positive on a log scale"),
        (0.0, 1.0, Scale.REVERSE_LOG, False, "high = 1 must be less than 1 on a reverse_log scale"),
        (0.5, 2.0, Scale.LINEAR, True, "must be whole numbers"),
        (0.0, math.inf, Scale.LINEAR, False, "must be finite"),
    ],
)
def test_an_impossible_range_says_why(low: float, high: float, scale: Scale, integer: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Range(low, high, scale=scale, integer=integer)


def test_a_choice_needs_different_options() -> None:
    with pytest.raises(ValueError, match="at least two"):
        Choice(("relu",))
    with pytest.raises(ValueError, match="the same value twice"):
        Choice(("relu", "relu"))

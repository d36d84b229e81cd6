"""Ranges know their scale; a space decodes positions into itself."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace, Side

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


@pytest.mark.parametrize(("value", "nearest"), [(-2.0, 1), (1.0, 1), (3.4, 3), (8.6, 9), (20.0, 9)])
def test_the_nearest_value_of_a_range_is_whole_if_they_all_are_and_never_outside(value: float, nearest: int) -> None:
    assert Range(1, 9, integer=True).nearest(value) == nearest
    assert Range(1.0, 9.0).nearest(value) == min(max(value, 1.0), 9.0)


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


SIDES = st.sampled_from(Side)


def counts() -> st.SearchStrategy[Range]:
    """Ranges of whole numbers, even in the value or its logarithm."""
    return st.builds(
        lambda low, width, scale: Range(low, low + width, scale=scale, integer=True),
        st.integers(1, 1000),
        st.integers(1, 1000),
        st.sampled_from([Scale.LINEAR, Scale.LOG]),
    )


@given(st.one_of(ranges(), counts()), SIDES)
def test_widening_contains_the_old_range_and_leaves_the_other_side(range_: Range, side: Side) -> None:
    wider = range_.widen(side)
    other = Side.LOW if side is Side.HIGH else Side.HIGH

    assert wider.low <= range_.low < range_.high <= wider.high
    assert wider.end(other) == range_.end(other)
    assert (wider.scale, wider.integer, wider.natural) == (range_.scale, range_.integer, range_.natural)
    assert not range_.integer or wider.end(side) == int(wider.end(side))


@given(st.one_of(ranges(), counts()), SIDES)
@example(Range(0.5, 1.0), Side.HIGH)
def test_widening_adds_something_unless_the_parameter_ends_there(range_: Range, side: Side) -> None:
    ends_below = range_.low == (1 if range_.integer else 0)
    ends_above = range_.scale is Scale.LINEAR and range_.low >= 0 and range_.high == 1

    assert (range_.widen(side) == range_) is (ends_below if side is Side.LOW else ends_above)


@pytest.mark.parametrize(
    ("range_", "side", "end"),
    [
        (Range(1e-3, 1e-2, scale=Scale.LOG), Side.HIGH, 0.1),
        (Range(1e-3, 1e-2, scale=Scale.LOG), Side.LOW, 1e-4),
        (Range(10, 4000, scale=Scale.LOG, integer=True), Side.LOW, 1),
        (Range(5, 4000, scale=Scale.LOG, integer=True), Side.LOW, 1),
        (Range(10, 4000, scale=Scale.LOG, integer=True), Side.HIGH, 40_000),
        (Range(0.0, 0.99, scale=Scale.REVERSE_LOG), Side.HIGH, 0.999),
        (Range(0.99, 0.999, scale=Scale.REVERSE_LOG), Side.LOW, 0.9),
        (Range(0.9, 0.99, scale=Scale.REVERSE_LOG), Side.LOW, 0.0),
        (Range(0.5, 0.99, scale=Scale.REVERSE_LOG), Side.LOW, 0.0),
        (Range(0.0, 0.99, scale=Scale.REVERSE_LOG), Side.LOW, 0.0),
        (Range(2.0, 6.0), Side.HIGH, 8.0),
        (Range(2.0, 6.0), Side.LOW, 0.0),
        (Range(1, 6, integer=True), Side.LOW, 1),
        (Range(1, 2, integer=True), Side.HIGH, 3),
        (Range(-1.0, 1.0), Side.LOW, -2.0),
        (Range(0.2, 0.9), Side.HIGH, 1.0),
    ],
)
def test_a_side_goes_out_by_a_decade_or_half_the_width_but_amounts_stay_amounts(
    range_: Range, side: Side, end: float
) -> None:
    assert range_.widen(side).end(side) == end


@pytest.mark.parametrize(
    ("range_", "side"),
    [
        (Range(1.0, 1.7e308, scale=Scale.LOG), Side.HIGH),
        (Range(0.0, 1 - 1e-12, scale=Scale.REVERSE_LOG), Side.HIGH),
    ],
)
def test_a_side_stays_where_numbers_end(range_: Range, side: Side) -> None:
    assert range_.widen(side) == range_


@pytest.mark.parametrize(
    ("limits", "side", "end"),
    [
        (Range(5, 10, integer=True), Side.LOW, 2),  # 2.5, rounded outwards
        (Range(5, 10, integer=True), Side.HIGH, 13),  # 12.5, rounded outwards
        (Range(0, 10, integer=True), Side.LOW, 0),
        (Range(1, 10, integer=True), Side.LOW, 1),
        (Range(-4, 10, integer=True), Side.LOW, -11),
        (Range(0.0, 0.5), Side.HIGH, 0.75),
        (Range(0.0, 0.8), Side.HIGH, 1.0),
        (Range(0.2, 1.0), Side.HIGH, 1.0),
        (Range(0.5, 1.5), Side.HIGH, 2.0),
        (Range(-0.5, 1.0), Side.HIGH, 1.75),
        (Range(0.1, 0.123456789012, scale=Scale.REVERSE_LOG), Side.HIGH, 0.912345678901),
    ],
)
def test_widening_has_known_ends(limits: Range, side: Side, end: float) -> None:
    assert limits.widen(side).end(side) == pytest.approx(end, abs=1e-12)


def test_a_space_is_stretched_around_a_point_and_no_further() -> None:
    space = SearchSpace({"x": Range(0.0, 1.0), "y": Range(2.0, 3.0), "kind": Choice(("a", "b")), "z": Fixed(1.0)})

    around = space.around({"x": -0.5, "y": 2.5, "kind": "b", "z": 1.0})

    assert around.parameters == {**space.parameters, "x": Range(-0.5, 1.0)}
    assert space.around({"x": 0.5, "y": 3.5, "kind": "b", "z": 1.0}).parameters["y"] == Range(2.0, 3.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("relu",), "options needs at least two values; use { value = ... } to fix one"),
        (("relu", "relu"), "options holds the same value twice"),
    ],
)
def test_options_that_are_no_choice_are_refused(options: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Choice(options)

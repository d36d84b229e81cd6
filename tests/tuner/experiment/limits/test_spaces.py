"""A space whose numbers cannot be told apart, or that nobody can search, is refused; any other can be searched."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.toy import TOY
from tuner.errors import ConfigError
from tuner.experiment import parse, read_space
from tuner.experiment.distributions import decode, distributions_of, encode
from tuner.experiment.limits.numbers import limits_hold
from tuner.experiment.limits.spaces import space_problems
from tuner.experiment.space import Range, Scale, SearchSpace, Side

RANGE = '{ low = 1e-3, high = 10, scale = "log" }'
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-2, 2) | st.integers(-5, 5).map(float)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "{ low = 0.1, high = 0.10000000000000002 }",
            "low = 0.1 and high = 0.10000000000000002 are too close to search",
        ),
        ('{ low = 0.1, high = 0.10000000000000002, scale = "log" }', "are too close to search between them"),
        ('{ low = 0.1, high = 0.10000000000000002, scale = "reverse_log" }', "are too close to search between them"),
        ("{ low = 0, high = 5e-324 }", "are too close to search between them; use { value = ... } to fix one"),
        ("{ low = -1e308, high = 1e308 }", "low = -1e+308 and high = 1e+308 must lie within -1e+30 and 1e+30"),
        ('{ low = 5e-324, high = 1, scale = "log" }', "low = 4.94066e-324 must be at least 1e-30 on a log scale"),
        (
            '{ low = 0, high = 0.9999999999999999, scale = "reverse_log" }',
            "high = 0.9999999999999999 must be at most 1 - 1e-09",
        ),
        ("{ low = 1, high = 1000000000000000000, integer = true }", "must lie within -1e+15 and 1e+15"),
        ("{ low = nan, high = 1 }", "must be finite numbers"),
        ("{ options = [true, 1] }", "options = [True, 1] holds values that are equal to each other"),
        ("{ value = nan }", "holds nan, which is no number that can be searched or compared"),
        ("{ options = [1.0, inf] }", "holds inf, which is no number"),
        (f"{{ options = {[*range(101)]} }}", "has 101 options; at most 100"),
    ],
)
def test_a_parameter_that_cannot_be_searched_is_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(TOY.replace(RANGE, given), source="mine.toml")

    assert str(caught.value).startswith("mine.toml: space.learning_rate: ")
    assert message in str(caught.value)


def test_a_space_has_a_most_of_parameters_and_of_letters_in_a_name() -> None:
    space = {f"x{each}": {"value": 1} for each in range(100)} | {"y" * 101: {"value": 1}}

    with limits_hold(), pytest.raises(ConfigError) as caught:
        read_space(space)
    assert [each.message for each in caught.value.problems] == [
        "has 101 hyperparameters; at most 100",
        "is a name of 101 letters; at most 100",
    ]
    assert len(read_space(space).parameters) == 101


@given(low=numbers, high=numbers, scale=st.sampled_from(Scale), integer=st.booleans(), position=st.floats(0, 1))
def test_every_range_that_is_taken_can_be_searched_and_widened(
    low: float, high: float, scale: Scale, integer: bool, position: float
) -> None:
    try:
        limits = Range(low, high, scale, integer)
    except (ValueError, OverflowError):
        limits = Range(0.0, 1.0)
    space = SearchSpace({"x": limits})
    assume(not space_problems(space))

    for _ in range(20):
        point = {"x": limits.at(position)}
        assert point in space
        assert 0 <= limits.position(point["x"]) <= 1
        distributions_of(space)
        again = decode(space, encode(space, point))
        assert math.isclose(float(again["x"]), point["x"], rel_tol=1e-6, abs_tol=1e-6 * abs(limits.high - limits.low))
        for side in Side:
            limits = limits.widen(side)
        space = SearchSpace({"x": limits})

"""Points as the rows of a model."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.analysis.models.columns import Columns
from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace
from tuner.trial import Value

RATE = Range(1e-3, 10.0, scale=Scale.LOG)
MOMENTUM = Range(0.0, 0.999, scale=Scale.REVERSE_LOG)
SPACE = SearchSpace(
    {
        "activation": Choice(("relu", "tanh", "none")),
        "learning_rate": RATE,
        "decay": Fixed(0.5),
        "momentum": MOMENTUM,
    }
)
COLUMNS = Columns(SPACE)


def test_a_place_holds_the_positions_then_the_options() -> None:
    coordinates = COLUMNS.coordinates({"activation": "tanh", "learning_rate": 0.1, "decay": 0.5, "momentum": 0.0})

    assert coordinates == [0.5, 0.0, 0.0, 1.0, 0.0]


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(("relu", "tanh", "none")))
def test_a_point_is_found_again_at_its_place(rate: float, momentum: float, activation: str) -> None:
    point: dict[str, Value] = {
        "activation": activation,
        "learning_rate": RATE.at(rate),
        "decay": 0.5,
        "momentum": MOMENTUM.at(momentum),
    }

    found = COLUMNS.point(np.array(COLUMNS.coordinates(point)))

    assert list(found) == list(SPACE.parameters)
    assert found["activation"] == activation
    assert math.isclose(float(found["learning_rate"]), float(point["learning_rate"]), rel_tol=1e-9)
    assert math.isclose(1 - float(found["momentum"]), 1 - float(point["momentum"]), rel_tol=1e-6)


@given(st.floats(-2, -0.1), st.floats(-0.9, 0))
def test_points_of_one_effective_learning_rate_share_the_last_column(log_effective: float, log_rest: float) -> None:
    momenta = (0.0, 1 - 10**log_rest)
    points: list[dict[str, Value]] = [
        {"activation": "relu", "learning_rate": 10**log_effective * (1 - each), "decay": 0.5, "momentum": each}
        for each in momenta
    ]
    rows = COLUMNS.rows(np.array([COLUMNS.coordinates(each) for each in points]))

    assert rows.shape == (2, 6)
    np.testing.assert_allclose(rows[0, -1], rows[1, -1], atol=1e-9)


def test_a_space_without_momentum_has_no_further_column() -> None:
    columns = Columns(SearchSpace({"learning_rate": RATE}))

    assert columns.rows(np.array([[0.2]])).shape == (1, 1)

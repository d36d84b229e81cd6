"""Predictions look beyond the sides of their space, and say which of them keep a better optimum out."""

import math

import pytest

from tests.tuner.analysis.scaling.test_prediction import experiment
from tuner.analysis.nqm import optimal, power_law
from tuner.analysis.scaling.predicted_edges import PredictedEdge, Predictions, predictions, widened
from tuner.errors import TunerError
from tuner.experiment.space import Natural, Range, Scale, Side

RATE = {"low": 1e-5, "high": 10, "scale": "log"}


def predicted(preset: str = "nqm-sgd", *, batch_size: int = 64, **space: dict[str, object]) -> Predictions:
    return predictions(experiment(preset, batch_sizes=[batch_size], space=space))


def only(found: Predictions) -> PredictedEdge:
    ((edge,),) = found.edges
    return edge


def test_an_optimum_inside_is_flagged_nowhere() -> None:
    found = predicted(learning_rate=RATE)

    assert found.edges == ((),)
    assert not found.at_box_edge


@pytest.mark.parametrize(
    ("low", "high", "side"), [(1e-3, 0.1, Side.HIGH), (0.5, 10, Side.LOW)], ids=["too low", "too high"]
)
def test_a_range_that_keeps_the_optimum_out_is_flagged(low: float, high: float, side: Side) -> None:
    found = predicted(batch_size=64, learning_rate={"low": low, "high": high, "scale": "log"})

    edge = only(found)
    best = optimal(power_law(), batch_size=64, target=0.01)
    assert found.at_box_edge
    assert (edge.parameter, edge.side, edge.end) == ("learning_rate", side, high if side is Side.HIGH else low)
    assert edge.value == pytest.approx(best.parameters["learning_rate"], rel=0.01)
    assert edge.saving == pytest.approx(1 - float(best.steps) / found.curve.points[0].score, rel=1e-3)


def test_a_side_is_flagged_only_if_more_than_a_hundredth_of_the_steps_is_beyond() -> None:
    """The optimum is at a rate of 0.2206; its steps grow by 0.5 % at 0.21, and by 2 % at 0.2."""
    near, far = (predicted(learning_rate={"low": 0.01, "high": high, "scale": "log"}) for high in (0.213, 0.19))

    assert near.curve.points[0].hyperparameters["learning_rate"] == pytest.approx(0.213)
    assert not near.at_box_edge
    assert only(far).saving > 0.01


def test_a_corner_is_found_by_widening_both_of_its_sides() -> None:
    """Momentum at batch size 16: wider on one side alone, the space has no better optimum."""
    momentum = {"low": 0, "high": 0.9999, "scale": "reverse_log"}

    found = predicted("nqm-momentum", batch_size=16, learning_rate=RATE, momentum=momentum)

    (edges,) = found.edges
    assert [(each.parameter, each.side) for each in edges] == [
        ("learning_rate", Side.LOW),
        ("momentum", Side.HIGH),
    ]
    assert edges[0].saving == edges[1].saving > 0.1


def test_a_target_that_is_reached_only_beyond_the_space_is_flagged() -> None:
    found = predicted(learning_rate={"low": 1.0, "high": 1.5, "scale": "log"})

    assert math.isinf(found.curve.points[0].score)
    assert only(found).sentence == (
        "The optimum is beyond the low end of learning_rate, 1, at about 0.22064: only there the target is reached. "
        "Widen the range there."
    )


def test_a_natural_limit_is_not_flagged() -> None:
    rate = {"low": 1e-3, "high": 0.1, "scale": "log", "natural": "high"}

    assert not predicted(learning_rate=rate).at_box_edge


def test_nothing_is_beyond_what_is_held() -> None:
    assert predicted(batch_size=1024, learning_rate={"value": 1.668}).edges == ((),)


def test_a_prediction_and_its_edges_are_told_as_json() -> None:
    found = predictions(experiment(space={"learning_rate": {"low": 1e-3, "high": 0.1, "scale": "log"}})).to_json()

    assert isinstance(found["predictions"], list)
    first, second = found["predictions"]
    assert first.keys() == {"batch_size", "steps", "params", "edges"}
    assert first["edges"][0].keys() == {"parameter", "side", "end", "value", "saving", "sentence"}
    assert first["edges"][0]["sentence"].startswith("The optimum is beyond the high end of learning_rate, 0.1, at ab")
    assert second["batch_size"] == 1024


@pytest.mark.parametrize(
    ("limits", "wider"),
    [
        (Range(1e-3, 1.0, Scale.LOG), (1e-4, 10.0)),
        (Range(0.0, 0.99, Scale.REVERSE_LOG), (0.0, 0.999)),
        (Range(0.0, 0.9), (0.0, 0.95)),
        (Range(0.0, 1.0), (0.0, 1.0)),
        (Range(1e-3, 1.0, Scale.LOG, natural=Natural.HIGH), (1e-4, 1.0)),
        (Range(2.0, 4.0), (1.0, 5.0)),
    ],
)
def test_every_side_is_widened_but_a_natural_one(limits: Range, wider: tuple[float, float]) -> None:
    found = widened(limits)

    assert (found.low, found.high) == pytest.approx(wider)


def test_a_wider_space_that_makes_no_sense_says_what_to_do() -> None:
    momentum = {"low": 0.01, "high": 0.9, "scale": "log"}

    with pytest.raises(TunerError, match=r'\(0.001, 9\) must lie in \[0, 1\).* give `natural = "low"`') as raised:
        predicted("nqm-momentum", learning_rate=RATE, momentum=momentum)

    assert "\n" not in str(raised.value)

"""Optima that are computed, within an experiment's own space."""

import math
import tomllib

import pytest

from tests.toy import TOY
from tuner.analysis.nqm import lower_bound, optimal, power_law
from tuner.analysis.scaling.curve import ScalingCurve
from tuner.analysis.scaling.prediction import predicted_curve
from tuner.errors import TunerError
from tuner.experiment import Experiment, from_table, preset_text
from tuner.objective import Predictor

RATE = {"low": 1e-5, "high": 10, "scale": "log"}


UNREASONABLE = {"metric": "validation/loss", "below": 9.0, "within_steps": 10}


def experiment(preset: str = "nqm-sgd", *, metric: str = "validation/loss", **changes: object) -> Experiment:
    """A preset at two batch sizes and a budget of ten steps, with some tables replaced."""
    table = tomllib.loads(preset_text(preset))
    goal = {"metric": metric, "below": 0.01, "within_steps": 10}
    return from_table(table | {"batch_sizes": [1024, 64], "goal": goal} | changes)


def steps(curve: ScalingCurve) -> list[float]:
    return [each.score for each in curve.points]


def test_a_prediction_is_the_exact_optimum_whatever_the_budget() -> None:
    curve = predicted_curve(experiment())

    assert [each.batch_size for each in curve.points] == [64, 1024]
    assert steps(curve) == [95_633, optimal(power_law(), batch_size=1024, target=0.01).steps]
    assert curve.points[0].hyperparameters == pytest.approx({"learning_rate": 0.2154}, rel=0.05)
    assert not any(each.per_seed for each in curve.points)


def test_the_training_loss_falls_a_step_later() -> None:
    curve = predicted_curve(experiment(metric="train/loss"))

    assert steps(curve)[0] == 95_634


def test_a_range_bounds_the_optimum() -> None:
    curve = predicted_curve(experiment(space={"learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"}}))

    assert curve.points[1].hyperparameters["learning_rate"] == pytest.approx(0.1)


def test_a_fixed_value_is_held() -> None:
    space = {"learning_rate": RATE, "momentum": {"value": 0.9}}

    curve = predicted_curve(experiment("nqm-momentum", space=space))

    assert {each.hyperparameters["momentum"] for each in curve.points} == {0.9}
    assert lower_bound(power_law(), batch_size=1024, target=0.01) < steps(curve)[1] < 10_600


def test_everything_may_be_held() -> None:
    curve = predicted_curve(experiment(space={"learning_rate": {"value": 1.668}}))

    assert steps(curve) == [math.inf, 10_610]


def test_a_target_out_of_reach_says_why() -> None:
    curve = predicted_curve(experiment(space={"learning_rate": {"low": 1.0, "high": 1.5}}, batch_sizes=[4, 64]))

    assert curve.unreached == (4, 64)
    assert curve.points[0].reason == "never reaches the target: gradient noise holds the loss above it"
    assert not curve.points[0].hyperparameters


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"learning_rate": {"options": [0.1, 0.2]}}}, "space.learning_rate: optima over options are not"),
        ({"space": {"learning_rate": {"value": "high"}}}, "space.learning_rate: optima are computed for real numbers"),
        ({"space": {"learning_rate": {"low": 1, "high": 4, "integer": True}}}, "computed for real numbers only"),
        ({"space": {"learning_rate": {"low": -2, "high": -1}}}, r"nqm-sgd: learning_rate = \(-2, -1\) must hold"),
        ({"goal": UNREASONABLE}, "nqm-sgd: target = 9 is above the initial loss of 4.7"),
    ],
)
def test_what_cannot_be_computed_is_one_clear_line(changes: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(TunerError, match=message) as raised:
        predicted_curve(experiment(metric="validation/loss", preset="nqm-sgd", **changes))

    assert "\n" not in str(raised.value)


def test_an_objective_without_a_prediction_is_to_be_measured() -> None:
    toy = from_table(tomllib.loads(TOY))

    assert not isinstance(toy.build_objective(), Predictor)
    with pytest.raises(TunerError, match="cannot be computed; measure it with `tuner run` and then `tuner fit toy`"):
        predicted_curve(toy)

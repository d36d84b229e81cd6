import tomllib

import pytest

from objectives.classification import Classification
from objectives.models.mlp import Mlp
from objectives.models.regularisation import REGULARISERS
from tests.measured import advanced
from tuner.errors import ConfigError
from tuner.experiment import preset_text
from tuner.experiment.components import build
from tuner.objective import Objective
from tuner.trial import TrialSpec

OPTIONAL = REGULARISERS | {"weight_decay"}
TABLE = tomllib.loads(preset_text("digits"))["objective"]


def test_the_preset_is_a_workload() -> None:
    objective = build("objectives", TABLE, Objective)

    assert isinstance(objective, Classification)
    assert objective.model == Mlp((128,))
    assert objective.train_examples == 1097
    assert objective.hyperparameters - OPTIONAL == {"learning_rate", "momentum", "end_factor", "decay_steps"}
    assert objective.optional == OPTIONAL
    errors = {"validation/error", "test/error"}
    accuracies = {"validation/accuracy", "test/accuracy"}
    assert objective.metrics == {"train/loss", "validation/loss"} | errors | accuracies


def test_its_trainer_measures_its_metrics() -> None:
    objective = build("objectives", TABLE, Objective)
    trainer = objective.trainer(16, lanes=3, device="cpu")
    point = {"learning_rate": 0.1, "momentum": 0.5, "end_factor": 1.0, "decay_steps": 10.0}
    trainer.load(2, TrialSpec(0, point))

    measured = advanced(trainer)

    assert trainer.lanes == 3
    assert list(measured) == [2]
    assert measured[2][0].metrics.keys() == {"train/loss", "validation/loss", "validation/error", "test/error"}
    assert measured[2][0].metrics.keys() < objective.metrics


def test_a_schedule_may_be_left_out_and_then_needs_no_hyperparameters() -> None:
    table = {name: each for name, each in TABLE.items() if name != "schedule"}
    first, decayed = (build("objectives", each, Objective) for each in (table, TABLE))
    point = {"learning_rate": 0.1, "momentum": 0.5}
    constant, flat = first.trainer(16, lanes=1, device="cpu"), decayed.trainer(16, lanes=1, device="cpu")
    constant.load(0, TrialSpec(0, point))
    flat.load(0, TrialSpec(0, point | {"end_factor": 1.0, "decay_steps": 10.0}))

    assert first.hyperparameters - OPTIONAL == {"learning_rate", "momentum"}
    assert [constant.advance() for _ in range(5)] == [flat.advance() for _ in range(5)]


def test_every_wrong_setting_is_reported_with_its_path() -> None:
    table = TABLE | {"model": {"kind": "mlp", "hidden": [0]}, "schedule": {"kind": "linear_decy"}}

    with pytest.raises(ConfigError) as caught:
        build("objectives", table, Objective)

    assert [each.path for each in caught.value.problems] == ["model.hidden.0", "schedule.kind"]
    assert "did you mean linear_decay?" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "bf16"}, 'precision = "bf16" is for torch modules; Mlp computes its own gradients'),
        ({"compile": True}, "compile is for torch modules; Mlp computes its own gradients, in float32 or tf32"),
        ({"model": {"kind": "heavy_ball"}}, "heavy_ball is not one of the models"),
        (
            {"model": {"kind": "objectives.optimizers.heavy_ball:HeavyBall"}},
            r"HeavyBall is not a model; it needs a method module\(shape, classes\)",
        ),
    ],
)
def test_a_model_that_cannot_do_what_is_asked_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("objectives", TABLE | settings, Objective)


def test_the_simple_cnn_trains_on_digits_as_images() -> None:
    objective = build("objectives", TABLE | {"model": {"kind": "cnn", "size": "narrow"}, "microbatch": 8}, Objective)
    trainer = objective.trainer(16, lanes=2, device="cpu")
    trainer.load(1, TrialSpec(0, {"learning_rate": 0.1, "momentum": 0.5, "end_factor": 1.0, "decay_steps": 10.0}))

    assert advanced(trainer)[1][0].metrics["train/loss"] == pytest.approx(2.3, abs=0.3)

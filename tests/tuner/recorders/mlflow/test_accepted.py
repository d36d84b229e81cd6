"""A value that MLflow refuses costs that value: names and lengths, and refusals that nobody could foresee."""

from collections.abc import Sequence

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_metric_name

from tests.tuner.recorded import Held, recorded
from tuner.experiment.workload.names import NAME_LENGTH, is_loggable
from tuner.recorders.mlflow.accepted import PARAMETER_LENGTH, TAG_LENGTH, send
from tuner.recorders.mlflow.run_content import MetricValue
from tuner.recorders.mlflow.runs import Tracking

NAMES = [
    "a",
    "validation/error",
    "F1@0.5 (%)",
    "a//b",
    "/a",
    "a/",
    "../a",
    "1 - momentum",
    "a:b",
    "é",
    "",
    ".",
    "a/./b",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_taken_exactly_if_mlflow_takes_it(name: str) -> None:
    try:
        _validate_metric_name(name)  # type: ignore[no-untyped-call]
        taken = True
    except MlflowException:
        taken = False

    assert is_loggable(name) is taken


def test_refused_values_are_found_among_many() -> None:
    sent: list[int] = []
    refused: list[int] = []

    def attempt(values: Sequence[int]) -> None:
        if any(each % 7 == 3 for each in values):
            raise ValueError("refused")
        sent.extend(values)

    send(list(range(20)), attempt, refused.append)

    assert refused == [3, 10, 17]
    assert sent == [each for each in range(20) if each not in refused]


def test_long_values_are_cut_and_refused_ones_left_out(uri: str) -> None:
    tracking = Tracking(uri, "digits", Held(recorded()))
    client = MlflowClient(tracking_uri=uri)
    run_id = client.create_run(tracking.experiment_id).info.run_id
    client.log_param(run_id, "model", "mlp")
    tracking.add(
        run_id,
        metrics=[MetricValue(name, 1.0, 0, 1) for name in ("error", "bad*name", "x" * (NAME_LENGTH + 1))],
        parameters={"model": "other", "data": "d" * (PARAMETER_LENGTH + 1)},
        tags={"note": "n" * (TAG_LENGTH + 1)},
    )
    run = client.get_run(run_id)

    assert run.data.metrics == {"error": 1.0}
    assert run.data.params["model"] == "mlp"
    assert (len(run.data.params["data"]), len(run.data.tags["note"])) == (PARAMETER_LENGTH, TAG_LENGTH)
    assert list(tracking.refusals.names) == ["bad*name", "x" * 57 + "...", "model"]


def test_more_values_than_one_request_holds_are_sent_in_several(uri: str) -> None:
    tracking = Tracking(uri, "digits", Held(recorded()))
    client = MlflowClient(tracking_uri=uri)
    run_id = client.create_run(tracking.experiment_id).info.run_id
    tracking.add(
        run_id,
        metrics=[MetricValue("error", 1 / (step + 1), step, step) for step in range(2_500)],
        parameters={f"p{number}": "1" for number in range(250)},
    )

    assert len(client.get_metric_history(run_id, "error")) == 2_500
    assert len(client.get_run(run_id).data.params) == 250

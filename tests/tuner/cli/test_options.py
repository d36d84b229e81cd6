"""Numbers of options and variables have bounds, as those of files have."""

import pytest
from typer.testing import CliRunner

from tuner.cli.app import app
from tuner.errors import TunerError
from tuner.service import locations

HUGE = "1000000000000000000"
HUGER = HUGE + "000"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "digits", "--workers", HUGE],
        ["run", "digits", "--workers", "0"],
        ["run", "digits", "--workers", "9" * 5_000],
        ["run", "digits", "--curve-points", HUGE],
        ["run", "digits", "--checkpoint-every", "nan"],
        ["run", "digits", "--checkpoint-every", "inf"],
        ["run", "digits", "--num-gpus", "nan"],
        ["run", "digits", "--trainers", HUGE],
        ["worker", "--workers", HUGE],
        ["worker", "--checkpoint-every", "1e30"],
        ["sync", "digits", "--curve-points", "0"],
        ["results", "digits", "--within-steps", "1e30"],
        ["results", "digits", "--within-steps", "0"],
        ["results", "digits", "--within-steps", HUGER],
        ["results", "digits", "--below", "x"],
        ["replay", "digits", "--batch-size", HUGER, "--trial", "0"],
        ["replay", "digits", "--batch-size", "8", "--trial", HUGER],
        ["replay", "digits", "--batch-size", "8", "--trial", "0", "--round", HUGER],
        ["dashboard", "--port", HUGE],
    ],
)
def test_a_number_that_makes_no_sense_is_wrong_usage(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 2, done.output
    assert "Invalid value for" in done.output
    assert len(done.output) < 20_000


@pytest.mark.parametrize("value", [HUGE, "0", "-1", "10001", "1e3", "²", "9" * 5_000])
def test_a_variable_that_holds_no_number_in_its_bounds_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_MLFLOW_POINTS", value)

    with pytest.raises(TunerError, match=r"^TUNER_MLFLOW_POINTS = .* is no whole number from 1 to 10,000") as caught:
        locations.curve_points(None)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("value", ["1", "10", "9999", "10000"])
def test_a_variable_that_holds_one_is_used(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_MLFLOW_POINTS", value)

    assert locations.curve_points(None) == int(value)

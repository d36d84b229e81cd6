"""A short run of chaos: nothing is lost, repeated, left running or missing in MLflow."""

import json

import pytest

from tests import chaos


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_fails_all_the_time_ends_as_if_nothing_had_failed(capsys: pytest.CaptureFixture[str]) -> None:
    code = chaos.main(["--minutes", "0.5", "--workers", "2"])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found.pop("kills") > 0
    assert found.pop("restarts") > 0
    assert found == {"lost": 0, "duplicated": 0, "running": 0, "incomplete_curves": 0, "mlflow_mismatches": 0}
    assert code == 0

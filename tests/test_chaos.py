"""A short run of chaos: nothing is lost, repeated, left running, missing in MLflow, or taken for another store's."""

import json

import pytest

from tests.chaos.__main__ import main

FAULTS = ("postgresql_crashes", "postgresql_read_only", "postgresql_locks", "mlflow_silent", "mlflow_throttling")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_fails_all_the_time_ends_as_if_nothing_had_failed(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--minutes", "1.7", "--workers", "2"])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["kills"] > 0
    assert all(found[each] > 0 for each in FAULTS)
    wrong = ("lost", "duplicated", "running", "incomplete_curves", "mlflow_mismatches")
    assert {each: found[each] for each in wrong} == dict.fromkeys(wrong, 0)
    assert code == 0

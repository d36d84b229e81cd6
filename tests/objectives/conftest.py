"""What tests of workloads share."""

from pathlib import Path

import pytest


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the logs of scripts."""
    monkeypatch.setenv("TUNER_LOGS", str(tmp_path / "logs"))
    return tmp_path / "logs"

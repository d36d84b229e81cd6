"""What tests of workloads share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread of torch: others' tests may have set `OMP_NUM_THREADS` after torch was loaded with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the logs of scripts."""
    monkeypatch.setenv("TUNER_LOGS", str(tmp_path / "logs"))
    return tmp_path / "logs"

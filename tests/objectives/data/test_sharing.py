"""Data that the workers of a machine share by a file that is mapped into memory."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from objectives.data.cache.sharing import shared

VALUES = np.arange(6000, dtype=np.float32).reshape(60, 100)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_same_values_are_one_file_in_memory(cache: Path) -> None:
    first, second = shared(VALUES, least=1), shared(VALUES.copy(), least=1)

    (file,) = cache.iterdir()
    for each in (first, second):
        assert torch.equal(each, torch.from_numpy(VALUES))
    if sys.platform == "linux":
        assert Path("/proc/self/maps").read_text().count(str(file)) == 2


def test_other_values_are_another_file_and_so_is_another_shape(cache: Path) -> None:
    for each in (VALUES, VALUES + 1, VALUES.T, VALUES.reshape(100, 60)):
        assert torch.equal(shared(each, least=1), torch.from_numpy(np.ascontiguousarray(each)))

    assert len(list(cache.iterdir())) == 4


def test_what_is_written_to_one_is_not_seen_by_another(cache: Path) -> None:
    first, second = shared(VALUES, least=1), shared(VALUES, least=1)
    first[0] = -1

    assert second[0, 1] == 1.0
    assert torch.equal(shared(VALUES, least=1), second)


def test_small_arrays_are_not_shared(cache: Path) -> None:
    assert torch.equal(shared(VALUES), torch.from_numpy(VALUES))
    assert not cache.exists()


def test_a_file_that_is_damaged_or_cannot_be_written_is_done_without(cache: Path) -> None:
    shared(VALUES, least=1)
    (file,) = cache.iterdir()
    file.write_bytes(b"nonsense")

    assert torch.equal(shared(VALUES, least=1), torch.from_numpy(VALUES))

    file.unlink()
    cache.rmdir()
    cache.write_text("no folder")
    assert torch.equal(shared(VALUES, least=1), torch.from_numpy(VALUES))

"""Arrays of a file are split, or are the parts that their names say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from objectives.data.arrays import Arrays
from objectives.data.entry.splits import splits_of
from objectives.losses import Targets
from tests.objectives.users import CLASSES, INPUTS
from tuner.errors import ConfigError


def written(folder: Path, **arrays: np.ndarray) -> str:
    np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]
    return str(folder / "data.npz")


def test_the_arrays_of_a_file_are_split(tmp_path: Path) -> None:
    file = written(tmp_path, inputs=INPUTS, labels=CLASSES)

    found = splits_of(Arrays(file, validation=0.25, seed=1), Targets.CLASSES, whole_numbers=False)

    assert [len(each) for each in (found.train, found.validation, found.test)] == [78, 30, 12]
    assert (found.classes, found.shape) == (3, (4,))


def test_parts_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, x=INPUTS[:90], y=CLASSES[:90], test_x=INPUTS[90:], test_y=CLASSES[90:])

    found = splits_of(Arrays(file, inputs="x", labels="y"), Targets.CLASSES, whole_numbers=False)

    assert torch.equal(found.test.labels, torch.tensor(CLASSES[90:]))
    assert [len(each) for each in (found.train, found.validation)] == [81, 9]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": INPUTS}, "data.npz has no array labels; it has inputs"),
        ({}, "data.npz has no array inputs; it has none"),
        ({"inputs": INPUTS, "labels": CLASSES, "test_inputs": INPUTS}, "data.npz has no array test_labels; it has inp"),
        ({"inputs": np.array([{}]), "labels": CLASSES}, "data.npz cannot be read as an .npz file: Object arrays"),
    ],
)
def test_a_file_without_an_array_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    file = written(tmp_path, **arrays)

    with pytest.raises(ConfigError, match=message):
        Arrays(file).load()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(content)

    with pytest.raises(ConfigError, match=r"data\.npz cannot be read as an \.npz file"):
        Arrays(str(tmp_path / "data.npz")).load()


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", INPUTS)

    with pytest.raises(ConfigError, match=r"one\.npy cannot be read as an \.npz file: it holds a single array"):
        Arrays(str(tmp_path / "one.npy")).load()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.npz cannot be read as an .npz file: .*No such file"):
        Arrays(str(tmp_path / "none.npz")).load()

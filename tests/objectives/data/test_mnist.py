import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from objectives.data import Splits
from objectives.data.mnist import Mnist
from tuner.errors import ConfigError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (120, 6, 5), dtype=np.uint8)
LABELS = RANDOM.integers(0, 10, 120, dtype=np.uint8)


def idx(numbers: NDArray[np.uint8]) -> bytes:
    """Numbers as an IDX file."""
    return bytes([0, 0, 8, numbers.ndim]) + np.array(numbers.shape, dtype=">u4").tobytes() + numbers.tobytes()


def written(folder: Path, *, packed: bool = False) -> Path:
    """A folder with 120 images to train on, the first 30 of which are also those of the test."""
    folder.mkdir(parents=True)
    for name, images, labels in (("train", IMAGES, LABELS), ("t10k", IMAGES[:30], LABELS[:30])):
        for kind, numbers in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{name}-{kind}-ubyte"
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(idx(numbers)))
            else:
                path.write_bytes(idx(numbers))
    return folder


def test_a_twelfth_of_the_training_file_is_for_validation(tmp_path: Path) -> None:
    splits = Mnist(str(written(tmp_path / "raw"))).load()

    assert [len(splits.train), len(splits.validation), len(splits.test)] == [110, 10, 30]
    assert splits.shape == (1, 6, 5)
    assert splits.classes == 10
    assert splits.train.inputs.shape == (110, 30)


def test_every_image_is_in_one_split_with_its_label(tmp_path: Path) -> None:
    splits = Mnist(str(written(tmp_path / "raw"))).load()
    images = IMAGES.reshape(120, 30).tolist()
    # Pixels run from 0 to 255, and standardising keeps their order.
    low, high = splits.test.inputs.min(), splits.test.inputs.max()
    scale = (int(IMAGES[:30].max()) - int(IMAGES[:30].min())) / (high - low)

    found = []
    for split in (splits.train, splits.validation):
        pixels = ((split.inputs - low) * scale + int(IMAGES[:30].min())).round().long()
        found += list(zip(pixels.tolist(), split.labels.tolist(), strict=True))

    assert sorted(found) == sorted(zip(images, LABELS.tolist(), strict=True))


def test_training_pixels_have_mean_0_and_deviation_1(tmp_path: Path) -> None:
    pixels = Mnist(str(written(tmp_path / "raw"))).load().train.inputs.double()

    assert pixels.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert pixels.std(correction=0).item() == pytest.approx(1.0, abs=1e-6)


def test_files_may_be_compressed_and_found_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_DATA", str(tmp_path))
    plain = Mnist(str(written(tmp_path / "plain"))).load()
    written(tmp_path / "MNIST" / "raw", packed=True)
    written(tmp_path / "FashionMNIST" / "raw")

    for found in (Mnist().load(), Mnist(fashion=True).load()):
        assert equal(found, plain)


def test_the_files_are_read_once(tmp_path: Path) -> None:
    folder = str(written(tmp_path / "raw"))

    assert Mnist(folder).load() is Mnist(folder).load()


def test_without_a_folder_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNER_DATA", raising=False)

    with pytest.raises(ConfigError, match=r"TUNER_DATA is not set; it names the folder of data sets, or give data"):
        Mnist().load()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train-images-idx3-ubyte is missing, with .gz or without"):
        Mnist(str(tmp_path)).load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>not found</html>", "is not an IDX file of bytes in 1 dimensions"),
        (b"", "is not an IDX file"),
        (idx(LABELS)[:-7], r"has 113 numbers, and should have 120: is it cut off\?"),
        (idx(LABELS[:100]), "has 120 train images and 100 labels; they belong together"),
    ],
)
def test_a_broken_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "raw")
    (folder / "train-labels-idx1-ubyte").write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        Mnist(str(folder)).load()


def test_a_file_that_is_not_what_its_ending_says_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "raw")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"plain")

    with pytest.raises(ConfigError, match=r"t10k-labels-idx1-ubyte cannot be read: Not a gzipped file"):
        Mnist(str(folder)).load()


def equal(ours: Splits, theirs: Splits) -> bool:
    pairs = [(ours.train, theirs.train), (ours.validation, theirs.validation), (ours.test, theirs.test)]
    return all(torch.equal(a.inputs, b.inputs) and torch.equal(a.labels, b.labels) for a, b in pairs)

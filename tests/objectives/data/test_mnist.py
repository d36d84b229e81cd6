from pathlib import Path

import pytest
import torch

from objectives.data import Augment, Splits
from objectives.data.fashion_mnist import FashionMnist
from objectives.data.mnist import Mnist
from tests.objectives.data.images.written import IMAGES, LABELS, idx, write_idx
from tuner.errors import ConfigError


def test_a_twelfth_of_the_training_file_is_for_validation(tmp_path: Path) -> None:
    splits = Mnist(str(write_idx(tmp_path / "raw"))).load()

    assert [len(splits.train), len(splits.validation), len(splits.test)] == [110, 10, 30]
    assert splits.shape == (1, 6, 5)
    assert splits.classes == 10
    assert splits.train.inputs.shape == (110, 30)


def test_every_image_is_in_one_split_with_its_label(tmp_path: Path) -> None:
    splits = Mnist(str(write_idx(tmp_path / "raw"))).load()
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
    pixels = Mnist(str(write_idx(tmp_path / "raw"))).load().train.inputs.double()

    assert pixels.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert pixels.std(correction=0).item() == pytest.approx(1.0, abs=1e-6)


def test_files_may_be_compressed_and_found_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_DATA", str(tmp_path))
    plain = Mnist(str(write_idx(tmp_path / "plain"))).load()
    write_idx(tmp_path / "MNIST" / "raw", packed=True)
    write_idx(tmp_path / "FashionMNIST" / "raw")

    for found in (Mnist().load(), Mnist(fashion=True).load(), FashionMnist().load()):
        assert equal(found, plain)


def test_the_files_are_read_once(tmp_path: Path) -> None:
    folder = str(write_idx(tmp_path / "raw"))

    assert Mnist(folder).load() is Mnist(folder).load()


def test_augmentation_changes_nothing_else(tmp_path: Path) -> None:
    folder = str(write_idx(tmp_path / "raw"))

    found = Mnist(folder, augment=Augment.CROP).load()

    assert found.augment is Augment.CROP
    assert found.train is Mnist(folder).load().train


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
    folder = write_idx(tmp_path / "raw")
    (folder / "train-labels-idx1-ubyte").write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        Mnist(str(folder)).load()


def test_a_file_that_is_not_what_its_ending_says_is_refused(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "raw")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"plain")

    with pytest.raises(ConfigError, match=r"t10k-labels-idx1-ubyte cannot be read: Not a gzipped file"):
        Mnist(str(folder)).load()


def equal(ours: Splits, theirs: Splits) -> bool:
    pairs = [(ours.train, theirs.train), (ours.validation, theirs.validation), (ours.test, theirs.test)]
    return all(torch.equal(a.inputs, b.inputs) and torch.equal(a.labels, b.labels) for a, b in pairs)

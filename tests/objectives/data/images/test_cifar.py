"""CIFAR is split as in the papers and standardised by its training images, as torchvision would."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets
from torchvision.transforms.v2 import functional

from objectives.data import Augment, Dataset, Splits
from objectives.data.cifar10 import Cifar10
from objectives.data.cifar100 import Cifar100
from objectives.data.images.cifar import _read
from objectives.training.inputs.examples import Examples
from tests.objectives.data.images.written import COLOURS, cifar_files, md5
from tuner.errors import ConfigError

CPU = torch.device("cpu")
OURS: dict[int, type[Cifar10 | Cifar100]] = {10: Cifar10, 100: Cifar100}
THEIRS = {10: datasets.CIFAR10, 100: datasets.CIFAR100}


def written(root: Path, classes: int, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A data set whose files have random images; torchvision takes their checksums for the published ones."""
    theirs = THEIRS[classes]
    folder = root / theirs.base_folder
    folder.mkdir(parents=True)
    files = cifar_files(classes)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for each in ("train_list", "test_list"):
        monkeypatch.setattr(theirs, each, [[name, md5(files[name])] for name, _ in getattr(theirs, each)])
    monkeypatch.setitem(theirs.meta, "md5", md5(files[theirs.meta["filename"]]))
    monkeypatch.setenv("TUNER_DATA", str(root))
    _read.cache_clear()
    return OURS[classes]()


@pytest.fixture(params=[10, 100])
def classes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def splits(classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Splits:
    found = written(tmp_path, classes, monkeypatch).load()
    assert isinstance(found, Splits)
    return found


def test_a_tenth_of_the_training_images_is_for_validation(splits: Splits, classes: int) -> None:
    assert [len(each) for each in (splits.train, splits.validation, splits.test)] == [45, 5, 10]
    assert (splits.shape, splits.classes) == ((3, 32, 32), classes)
    assert splits.train.inputs.dtype == torch.uint8


def test_every_image_is_in_one_split_with_its_label(splits: Splits, classes: int) -> None:
    found = [
        (tuple(image), label)
        for split in (splits.train, splits.validation)
        for image, label in zip(split.inputs.tolist(), split.labels.tolist(), strict=True)
    ]

    assert sorted(found) == sorted((tuple(COLOURS[row].tolist()), row % classes) for row in range(50))
    assert torch.equal(splits.test.inputs, torch.from_numpy(COLOURS[50:]))


def test_inputs_are_what_torchvision_makes_of_the_same_bytes(splits: Splits) -> None:
    images = splits.train.inputs.view(-1, 3, 32, 32)
    pixels = images.double().transpose(0, 1).flatten(1)
    mean, deviation = pixels.mean(1).tolist(), pixels.std(1, correction=0).tolist()

    found = Examples(splits.train, splits, device=CPU, dtype=torch.float32).inputs(slice(None))

    assert splits.pixels is not None
    assert splits.pixels.mean == pytest.approx(mean, rel=1e-12)
    assert splits.pixels.deviation == pytest.approx(deviation, rel=1e-12)
    assert torch.equal(found.view(images.shape), functional.normalize(images.float(), mean, deviation))


def test_augmentation_is_a_key_and_changes_nothing_else(splits: Splits, classes: int) -> None:
    found = OURS[classes](Augment.CROP_FLIP).load()

    assert found.augment is Augment.CROP_FLIP
    assert found.train is splits.train


def test_a_file_with_another_checksum_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(tmp_path, 10, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"cut off")

    with pytest.raises(ConfigError, match=r"data_batch_3 is damaged: its checksum is not [0-9a-f]{32}; delete it"):
        data.load()


def test_a_file_that_is_not_what_its_checksum_promises_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(tmp_path, 100, monkeypatch)
    (tmp_path / "cifar-100-python" / "train").write_bytes(b"no pickle")
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", md5(b"no pickle")]])

    with pytest.raises(ConfigError, match=r"cifar-100-python cannot be read: "):
        data.load()


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(tmp_path, 10, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "test_batch").unlink()

    with pytest.raises(
        ConfigError, match=r"cifar-10-batches-py lacks test_batch of CIFAR10, and nothing is downloaded"
    ):
        data.load()


def test_a_channel_of_one_level_is_not_divided_by_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.objectives.data.images.written.COLOURS", np.zeros((60, 3072), np.uint8))

    splits = written(tmp_path, 10, monkeypatch).load()

    assert isinstance(splits, Splits)
    inputs = Examples(splits.train, splits, device=CPU, dtype=torch.float32).inputs(slice(None))
    assert torch.equal(inputs, torch.zeros(45, 3072))

"""A folder of image files is decoded once into one file, by processes that end with whoever started them."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from objectives.data import Augment, Splits
from objectives.data.image_folder import ImageFolder, _load
from objectives.data.images import crew
from objectives.data.images.decoder import pixels_of
from objectives.training.inputs.examples import Examples
from tests.objectives.data.images.written import write_image
from tuner.errors import ConfigError
from tuner.guard import processes_below

CPU = torch.device("cpu")
SIZE, STORED = 14, 16
CLASSES = ("ant", "bee", "cat")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder; nothing is remembered in this process."""
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    _load.cache_clear()
    return tmp_path / "cache"


def shade(part: int, label: int, number: int) -> tuple[int, int, int]:
    """The colour of an image, by which it is recognised."""
    return 80 * part, 100 * label, 5 * number


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 images of each class to train on, and 4 for validation, as PNG files of different sizes."""
    for part, many in (("train", 20), ("val", 4)):
        for label, name in enumerate(CLASSES):
            for number in range(many):
                path = tmp_path / "images" / part / name / f"{number}.png"
                write_image(path, colour=shade(part == "val", label, number), size=(20 + number, 40 - number))
    return tmp_path / "images"


def loaded(folder: Path, **settings: float) -> Splits:
    return ImageFolder(str(folder), size=SIZE, **settings).load()  # type: ignore[arg-type]


def colours(splits: Splits, part: str) -> list[tuple[tuple[int, ...], int]]:
    """The colour and the class of each image of a part, in order."""
    split = getattr(splits, part)
    images = split.inputs.view(len(split), 3, -1)
    assert torch.equal(images.amin(2), images.amax(2))
    return [(tuple(each), label) for each, label in zip(images[:, :, 0].tolist(), split.labels.tolist(), strict=True)]


def files(cache: Path) -> list[str]:
    return sorted(each.name.partition(".")[2] for each in cache.iterdir() if each.suffix != ".lock")


def test_every_image_is_in_one_part_with_its_class(folder: Path) -> None:
    splits = loaded(folder, test=0.25)

    assert [len(each) for each in (splits.train, splits.validation, splits.test)] == [45, 12, 15]
    assert splits.classes == 3
    assert splits.shape == (3, SIZE, SIZE)
    assert colours(splits, "validation") == [(shade(1, label, each), label) for label in range(3) for each in range(4)]
    assert sorted(colours(splits, "train") + colours(splits, "test")) == sorted(
        (shade(0, label, each), label) for label in range(3) for each in range(20)
    )
    assert splits.test.labels.bincount().tolist() == [5, 5, 5]


def test_training_images_are_in_a_random_order_that_is_always_the_same(folder: Path, cache: Path) -> None:
    labels = loaded(folder).train.labels
    for each in cache.iterdir():
        each.unlink()
    _load.cache_clear()

    assert torch.equal(loaded(folder).train.labels, labels)
    assert not torch.equal(labels, labels.sort().values)


def test_a_share_of_the_training_images_is_for_validation_if_there_is_no_folder_for_it(folder: Path) -> None:
    for each in (folder / "val").rglob("*.png"):
        each.unlink()
    for name in CLASSES:
        (folder / "val" / name).rmdir()  # as with ImageNet's test images, which have no classes

    splits = loaded(folder, validation=0.2, test=0.1)

    assert [len(each) for each in (splits.train, splits.validation, splits.test)] == [42, 12, 6]


def test_an_image_is_resized_by_its_shorter_side_and_its_middle_is_kept(tmp_path: Path) -> None:
    levels = np.linspace(0, 255, 90, dtype=np.uint8)
    picture = np.broadcast_to(levels[None, :, None], (30, 90, 3))
    Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / "ramp.png")

    found = torch.from_numpy(pixels_of(str(tmp_path / "ramp.png"), 15))

    resized = functional.resize(torch.from_numpy(picture.copy()).permute(2, 0, 1), [15], antialias=True)
    expected = functional.center_crop(resized, [15])
    assert (found.int() - expected.int()).abs().max() <= 1


def test_grey_and_transparent_images_become_colours(tmp_path: Path) -> None:
    Image.new("L", (9, 9), 70).save(tmp_path / "grey.png")
    Image.new("RGBA", (9, 9), (1, 2, 3, 0)).save(tmp_path / "clear.png")

    assert np.unique(pixels_of(str(tmp_path / "grey.png"), 8)).tolist() == [70]
    assert pixels_of(str(tmp_path / "clear.png"), 8)[:, 0, 0].tolist() == [1, 2, 3]


def test_training_inputs_have_mean_0_and_deviation_1_in_each_colour(folder: Path) -> None:
    splits = loaded(folder)

    inputs = Examples(splits.train, splits, device=CPU, dtype=torch.float64).inputs(slice(None))

    channels = inputs.view(-1, 3, SIZE**2).transpose(0, 1).flatten(1)
    assert channels.mean(1).tolist() == pytest.approx([0, 0, 0], abs=1e-9)
    assert channels[1:].std(1, correction=0).tolist() == pytest.approx([1, 1])
    assert channels[0].std() == 0  # all have the same red


def test_images_are_decoded_once_and_are_not_in_memory(folder: Path, cache: Path) -> None:
    loaded(folder)
    before = {each: each.stat().st_mtime_ns for each in cache.glob("images-*.npy")}
    _load.cache_clear()
    splits = loaded(folder)

    assert files(cache) == ["json", "npy"]
    assert {each: each.stat().st_mtime_ns for each in cache.glob("images-*.npy")} == before
    if sys.platform == "linux":
        assert str(*before) in Path("/proc/self/maps").read_text()
    assert len(splits.train) == 54


@pytest.mark.parametrize("change", ["time", "size", "name", "setting"])
def test_whatever_changes_the_images_changes_the_file(change: str, folder: Path, cache: Path) -> None:
    loaded(folder)
    path = folder / "train" / "bee" / "3.png"
    if change == "time":
        os.utime(path, (1, 1))
    elif change == "size":
        stat = path.stat()
        write_image(path, size=(50, 50))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "name":
        path.rename(path.with_name("03.png"))
    _load.cache_clear()
    loaded(folder, test=0.2 if change == "setting" else 0.1)

    assert len(list(cache.glob("images-*.npy"))) == 2


def test_augmentation_needs_no_other_file(folder: Path, cache: Path) -> None:
    loaded(folder)

    found = ImageFolder(str(folder), size=SIZE, augment=Augment.CROP_FLIP).load()

    assert found.augment is Augment.CROP_FLIP
    assert files(cache) == ["json", "npy"]


def test_an_image_that_cannot_be_read_is_named_and_nothing_is_left(folder: Path, cache: Path) -> None:
    broken = folder / "train" / "cat" / "7.png"
    broken.write_bytes(broken.read_bytes()[:60])

    with pytest.raises(ConfigError, match=rf"{broken} cannot be read as an image: "):
        loaded(folder)

    assert files(cache) == []
    assert not decoders()


def test_a_file_that_is_too_large_for_the_disk_is_refused_before_it_is_written(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))

    with pytest.raises(ConfigError, match=r"0.0 GB are needed in .*cache for decoded images, .*; set TUNER_CACHE"):
        loaded(folder)

    assert files(cache) == []


def test_a_process_that_is_killed_is_an_error(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("objectives.data.images.decoder.__file__", os.devnull)

    with pytest.raises(ConfigError, match=r"the process that decodes .*images was ended \(exit code 0\)"):
        loaded(folder)

    assert files(cache) == []


def test_progress_is_logged(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(crew, "PATIENCE", 0.0)
    monkeypatch.setattr(crew, "AT_ONCE", 40)

    with caplog.at_level(logging.WARNING):
        loaded(folder)

    assert {f"{folder}: {each} of 72 images are decoded" for each in (40, 72)} >= set(caplog.messages[-1:])
    assert "72 of 72" in caplog.messages[-1]


LOADING = """
import sys
from objectives.data.images import decoder
from objectives.data.image_folder import ImageFolder
decoder.__file__ = sys.argv[2]
ImageFolder(sys.argv[1], size=14).load()
"""
WAITING = """
import sys, time
for line in sys.stdin:
    time.sleep(1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted by /proc")
def test_a_killed_process_leaves_no_others_and_the_next_one_begins_anew(folder: Path, cache: Path) -> None:
    (waiting := folder / "waiting.py").write_text(WAITING)
    process = subprocess.Popen([sys.executable, "-c", LOADING, str(folder), str(waiting)])
    until(lambda: len(processes_below(process.pid)) == min(2, crew._cores()))
    children = processes_below(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()

    until(lambda: not any(Path(f"/proc/{each}/cmdline").exists() for each in children))
    assert files(cache)[0].endswith(".new")
    loaded(folder)
    assert files(cache) == ["json", "npy"]


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def decoders() -> list[int]:
    """Processes below this one that decode."""
    return [
        each for each in processes_below(os.getpid()) if b"decoder.py" in Path(f"/proc/{each}/cmdline").read_bytes()
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: (folder / "train").rename(folder / "training"), "has no folder train with a folder of images"),
        (lambda folder: (folder / "train" / "dog").mkdir(), "train: Found no valid file for the classes dog"),
        (lambda folder: write_image(folder / "val" / "dog" / "1.png"), "val/dog is a class that train does not have"),
    ],
)
def test_a_wrong_layout_is_refused(make: object, message: str, folder: Path) -> None:
    assert callable(make)
    make(folder)

    with pytest.raises(ConfigError, match=message):
        loaded(folder)


def test_a_cache_that_cannot_be_written_is_one_line(folder: Path, cache: Path) -> None:
    cache.write_text("no folder")

    with pytest.raises(ConfigError, match=r"the images of .*images cannot be decoded into .*cache: .*File exists"):
        loaded(folder)

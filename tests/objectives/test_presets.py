"""Every preset is valid, and trains: on files with random images in the format of its data set, where it needs any."""

import math
import pickle
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torchvision import datasets

from objectives.data.entry import splits
from objectives.data.images import cifar
from objectives.data.images.locations import VARIABLE
from tests.objectives.data.images.written import idx, md5
from tuner.experiment import from_table, load, preset_text, presets
from tuner.experiment.workload.problems import sized
from tuner.objective import make_trainer
from tuner.trial import Failure, Measurement, TrialSpec

STEPS = 20
MANY, FEW, TEST = 10_000, 1_200, 100
"""Training images in the files: more than the largest minibatch of a preset has, or enough for the smallest."""
LEAST_OF_MNIST = 7_500
"""Small presets train on 6,875 images, beside those for validation."""
SLOW = {"cifar10-resnet44-ghost", "keskar-c1"}


def named() -> list[object]:
    """The presets' names; one that takes a minute to train is marked."""
    return [pytest.param(each, marks=pytest.mark.slow) if each in SLOW else each for each in presets()]


def mnist_files(generator: np.random.Generator, many: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    labels = generator.integers(0, 10, many, dtype=np.uint8)
    return generator.integers(0, 256, (many, 28, 28), dtype=np.uint8), labels


def write_mnist(folder: Path, generator: np.random.Generator, train: int) -> None:
    folder.mkdir(parents=True)
    for name, many in (("train", train), ("t10k", TEST)):
        images, labels = mnist_files(generator, many)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))


def write_cifar(folder: Path, generator: np.random.Generator, train: int) -> dict[str, str]:
    """Returns the checksum of each file."""
    folder.mkdir(parents=True)
    sizes = {**{f"data_batch_{each}": train // 5 for each in range(1, 6)}, "test_batch": TEST}
    content: dict[str, object] = {"batches.meta": {"label_names": [f"class {each}" for each in range(10)]}}
    for name, many in sizes.items():
        images = generator.integers(0, 256, (many, 3072), dtype=np.uint8)
        content[name] = {"data": images, "labels": generator.integers(0, 10, many).tolist()}
    packed = {name: pickle.dumps(each) for name, each in content.items()}
    for name, each in packed.items():
        (folder / name).write_bytes(each)
    return {name: md5(each) for name, each in packed.items()}


@contextmanager
def data_sets(root: Path, train: int) -> Iterator[None]:
    """All data sets that presets name, with so many training images, where they are looked for."""
    generator = np.random.default_rng(0)
    for name in ("MNIST", "FashionMNIST"):
        write_mnist(root / name / "raw", generator, max(train, LEAST_OF_MNIST))
    sums = write_cifar(root / datasets.CIFAR10.base_folder, generator, train)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(root))
        for each in ("train_list", "test_list"):
            patch.setattr(datasets.CIFAR10, each, [[name, sums[name]] for name, _ in getattr(datasets.CIFAR10, each)])
        patch.setitem(datasets.CIFAR10.meta, "md5", sums["batches.meta"])
        forget()
        yield
        forget()


def forget() -> None:
    """Have data sets read anew: they are kept by their settings, which do not name the folder."""
    cifar._read.cache_clear()
    splits._kept.cache_clear()


@pytest.fixture(scope="module")
def many_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with data_sets(tmp_path_factory.mktemp("many"), MANY):
        yield


@pytest.fixture(scope="module")
def few_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with data_sets(tmp_path_factory.mktemp("few"), FEW):
        yield


@pytest.mark.usefixtures("many_images")
@pytest.mark.parametrize("name", presets())
def test_a_preset_is_valid_and_named_as_its_file(name: str) -> None:
    experiment = load(name)

    assert experiment.name == name
    assert all(experiment.goal.at(each).within_steps >= STEPS for each in experiment.batch_sizes)


@pytest.mark.usefixtures("few_images")
@pytest.mark.parametrize("name", named())
def test_a_preset_trains_for_twenty_steps(name: str) -> None:
    unsized = from_table(tomllib.loads(preset_text(name)))
    experiment = sized(unsized, unsized.build_objective())
    size = min(experiment.batch_sizes)
    space = experiment.space.at(size)
    point = space.at([0.3] * space.dimensions)
    plan = experiment.measuring.plan(experiment.goal, size, reports=False)
    curve: list[Measurement] = []

    with closing(make_trainer(experiment.build_objective(), size, lanes=1, device="cpu", plan=plan)) as trainer:
        trainer.load(0, TrialSpec(7, point))
        while not curve or curve[-1].step < STEPS:
            for each in trainer.advance()[0]:
                assert not isinstance(each, Failure)
                curve.append(each)

    assert [each.step for each in curve] == sorted({each.step for each in curve})
    assert all(math.isfinite(each.metrics[experiment.goal.metric]) for each in curve)

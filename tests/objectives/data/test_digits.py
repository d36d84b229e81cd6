import pytest
import torch
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

from objectives.data import Split
from objectives.data.digits import Digits

SPLITS = Digits().load()


def test_the_split_is_1097_400_300() -> None:
    assert [len(SPLITS.train), len(SPLITS.validation), len(SPLITS.test)] == [1097, 400, 300]
    assert SPLITS.train.inputs.shape == (1097, 64)
    assert SPLITS.classes == 10


def test_the_split_is_that_of_scikit_learn() -> None:
    images, labels = load_digits(return_X_y=True)
    train, held_out, _, held_out_labels = train_test_split(
        images, labels, test_size=700, random_state=0, stratify=labels
    )
    validation, test = train_test_split(held_out, test_size=300, random_state=0, stratify=held_out_labels)

    for split, expected in ((SPLITS.train, train), (SPLITS.validation, validation), (SPLITS.test, test)):
        pixels = (expected / 16 - (train / 16).mean()) / (train / 16).std()
        assert torch.equal(split.inputs, torch.as_tensor(pixels, dtype=torch.float32))


def test_training_pixels_have_mean_0_and_deviation_1() -> None:
    pixels = SPLITS.train.inputs.double()

    assert pixels.mean().item() == pytest.approx(0.0, abs=1e-7)
    assert pixels.std(correction=0).item() == pytest.approx(1.0, abs=1e-7)


def test_every_image_is_in_exactly_one_split() -> None:
    images, labels = load_digits(return_X_y=True)

    together = torch.cat([each.inputs for each in (SPLITS.train, SPLITS.validation, SPLITS.test)]).double()
    pixels = 16 * (together - together.min()) / (together.max() - together.min())
    found = sorted(zip(pixels.round().tolist(), _labels(), strict=True))

    assert found == sorted(zip(images.tolist(), labels.tolist(), strict=True))


@pytest.mark.parametrize("split", [SPLITS.train, SPLITS.validation, SPLITS.test], ids=["train", "validation", "test"])
def test_every_class_has_its_share_of_each_split(split: Split) -> None:
    whole = torch.tensor(_labels()).bincount() / 1797

    assert (split.labels.bincount() - whole * len(split)).abs().max().item() <= 1.5


def test_the_data_are_read_once() -> None:
    assert Digits().load() is Digits().load()


def _labels() -> list[int]:
    return [label for each in (SPLITS.train, SPLITS.validation, SPLITS.test) for label in each.labels.tolist()]

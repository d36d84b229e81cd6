"""Data in any form become the same checked tensors, in three parts."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from objectives.data import Split, Splits, Unsplit
from objectives.data.digits import Digits
from objectives.data.entry.splits import splits_of
from objectives.losses import Targets
from tests.objectives.users import CLASSES, INPUTS, NUMBERS, Pairs
from tuner.errors import ConfigError

FLOATS = torch.tensor(INPUTS, dtype=torch.float32)
LABELS = torch.tensor(CLASSES)


@dataclass
class Loading:
    """Data made by a function; not frozen, so they are read each time."""

    make: Callable[[], object]

    def load(self) -> Any:
        return self.make()


def loaded(given: object, targets: Targets = Targets.CLASSES, *, whole_numbers: bool = False) -> Splits:
    return splits_of(Loading(lambda: given), targets, whole_numbers=whole_numbers)


def rows(splits: Splits) -> list[list[tuple[float, ...]]]:
    """The inputs of each part."""
    return [[tuple(each) for each in part.inputs.tolist()] for part in (splits.train, splits.validation, splits.test)]


FORMS: dict[str, object] = {
    "numpy": (INPUTS, CLASSES),
    "another precision": (INPUTS.astype(np.longdouble), CLASSES.astype(np.uint8)),
    "another byte order": (INPUTS.astype(">f8"), CLASSES.astype(">i2")),
    "columns and classes as floats": (INPUTS[:, :], CLASSES[:, None].astype(float)),
    "unsigned": (INPUTS, CLASSES.astype(np.uint64)),
    "reversed twice": (INPUTS[::-1][::-1], CLASSES[::-1][::-1]),
    "tensors": (torch.tensor(INPUTS), LABELS.int()),
    "a list of two": [INPUTS, CLASSES],
    "needing gradients": (FLOATS.clone().requires_grad_(), LABELS),
    "a split": Split(FLOATS, LABELS),
    "a data set of tensors": TensorDataset(FLOATS, LABELS),
    "unsplit": Unsplit((INPUTS, CLASSES)),
    "a mapping": {"train": (INPUTS, CLASSES)},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_tensors(form: str) -> None:
    expected, found = loaded((INPUTS, CLASSES)), loaded(FORMS[form])

    for part in ("train", "validation", "test"):
        one, other = getattr(expected, part), getattr(found, part)
        assert (other.inputs.dtype, other.labels.dtype) == (torch.float32, torch.int64)
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.labels, other.labels)
    assert (found.classes, found.shape) == (3, (4,))


def test_a_split_is_made_of_a_tenth_each_with_the_shares_of_the_classes() -> None:
    found = loaded((INPUTS, CLASSES))

    assert [len(each) for each in (found.train, found.validation, found.test)] == [96, 12, 12]
    for part in (found.train, found.validation, found.test):
        assert torch.bincount(part.labels).tolist() == [len(part) // 3] * 3
    assert sorted(chain(*rows(found))) == sorted(tuple(each) for each in FLOATS.tolist())


def test_the_split_is_the_same_each_time_and_another_with_another_seed() -> None:
    first, again, other = (
        rows(loaded(Unsplit((INPUTS, CLASSES), validation=0.2, test=0.3, seed=seed))) for seed in (0, 0, 1)
    )

    assert first == again != other
    assert [len(each) for each in first] == [60, 24, 36]


def test_parts_that_are_given_stay_and_the_missing_one_is_taken_from_train() -> None:
    found = loaded({"train": (INPUTS[:90], CLASSES[:90]), "test": (INPUTS[90:], CLASSES[90:])})

    assert torch.equal(found.test.inputs, FLOATS[90:])
    assert [len(each) for each in (found.train, found.validation)] == [81, 9]


def test_images_keep_their_shape_and_bytes_become_floats() -> None:
    images = np.arange(120 * 12, dtype=np.uint8).reshape(120, 3, 2, 2)

    found = loaded({"train": (images, CLASSES), "validation": (images, CLASSES), "test": (images, CLASSES)})

    assert found.shape == (3, 2, 2)
    assert found.train.inputs.dtype == torch.float32
    assert torch.equal(found.train.inputs, torch.tensor(images).flatten(1).float())


def test_inputs_of_one_number_are_a_column() -> None:
    assert loaded((INPUTS[:, 0], CLASSES)).shape == (1,)


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint32])
def test_whole_numbers_stay_for_models_that_take_them(kind: type[np.integer]) -> None:
    words = (np.arange(480).reshape(120, 4) % 9).astype(kind)

    assert loaded((words, CLASSES), whole_numbers=True).train.inputs.dtype == torch.int64
    assert loaded((words, CLASSES)).train.inputs.dtype == torch.float32


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int16, np.uint16, np.float16])
def test_short_numbers_become_floats(kind: type[np.generic]) -> None:
    given = (np.arange(480).reshape(120, 4) % 2).astype(kind)

    assert loaded((given, CLASSES), whole_numbers=True).train.inputs.dtype == torch.float32


def test_numbers_as_labels_are_a_column_and_not_stratified() -> None:
    one = loaded((INPUTS, NUMBERS), Targets.NUMBERS)
    two = loaded((INPUTS, np.stack([NUMBERS, NUMBERS], 1)), Targets.NUMBERS)
    counts = loaded((INPUTS, np.arange(120)), Targets.NUMBERS)

    assert (one.classes, one.train.labels.shape, one.train.labels.dtype) == (1, (96, 1), torch.float32)
    assert (two.classes, two.train.labels.shape) == (2, (96, 2))
    assert counts.train.labels.shape == (96, 1)


def test_labels_decide_where_the_loss_takes_any() -> None:
    assert loaded((INPUTS, CLASSES), Targets.ANY).train.labels.dtype == torch.int64
    assert loaded((INPUTS, NUMBERS), Targets.ANY).train.labels.dtype == torch.float32


def test_a_data_set_is_read_from_the_first_example_to_the_last() -> None:
    def example(index: int) -> tuple[object, int]:
        return INPUTS[index] if index % 2 else FLOATS[index], int(CLASSES[index])

    pairs: Dataset[object] = Pairs(example)

    found = loaded({"train": pairs, "validation": (INPUTS, CLASSES), "test": torch.utils.data.Subset(pairs, [0, 1, 2])})

    assert torch.equal(found.train.inputs, FLOATS[:60])
    assert torch.equal(found.train.labels, LABELS[:60])
    assert found.test.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("validation", "test"), [(0.0, 0.1), (0.6, 0.4), (-1.0, 0.1)])
def test_shares_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    message = f"the shares test {test:g}, validation {validation:g} leave nothing to train on"

    with pytest.raises(ConfigError, match=message):
        loaded(Unsplit((INPUTS, CLASSES), validation=validation, test=test))


def test_unsigned_numbers_beyond_a_signed_one_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"train labels are up to 18446744073709551615; give numbers below 2\^63"):
        loaded((INPUTS, np.full(120, 2**64 - 1, dtype=np.uint64)))


def test_frozen_settings_are_read_once() -> None:
    reads = []

    @dataclass(frozen=True)
    class Counting:
        def load(self) -> Any:
            reads.append(1)
            return INPUTS, CLASSES

    first, again = (splits_of(Counting(), Targets.CLASSES, whole_numbers=False) for _ in range(2))

    assert first is again
    assert reads == [1]


def test_our_own_data_pass_unchanged() -> None:
    ours, checked = Digits().load(), splits_of(Digits(), Targets.CLASSES, whole_numbers=True)

    assert (checked.classes, checked.shape) == (ours.classes, ours.shape)
    assert torch.equal(checked.train.inputs, ours.train.inputs)
    assert torch.equal(checked.test.labels, ours.test.labels)

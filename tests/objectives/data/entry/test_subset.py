"""Fewer training examples are always the same, and fewer are among more."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from objectives.classification import Classification
from objectives.data import Pixels, Split, Splits
from objectives.data.digits import Digits
from objectives.data.entry.splits import splits_of
from objectives.data.entry.subset import with_fewer
from objectives.losses import Targets
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.supervised import Supervised
from tests.objectives.users import Data
from tuner.errors import ConfigError
from tuner.experiment.components import build
from tuner.objective import Objective

DIGITS = Digits().load()


def rows_of(splits: Splits) -> list[int]:
    """The numbers of the training examples, which are their labels."""
    return splits.train.labels.tolist()


def numbered(many: int, *, pixels: Pixels | None = None) -> Splits:
    """Examples whose labels and first inputs are their numbers."""
    numbers = torch.arange(many)
    split = Split(numbers.unsqueeze(1).to(torch.float32 if pixels is None else torch.uint8), numbers)
    return Splits(split, split, split, classes=many, shape=(1,), pixels=pixels)


@pytest.mark.parametrize("pixels", [None, Pixels((1, 1, 1), (0.0,), (1.0,))])
def test_fewer_examples_are_among_more(pixels: Pixels | None) -> None:
    few, more = (with_fewer(numbered(200, pixels=pixels), each) for each in (30, 90))

    assert len(few.train) == 30
    assert set(rows_of(few)) < set(rows_of(more))
    assert few.train.inputs.flatten().tolist() == rows_of(few)
    assert rows_of(few) != list(range(30))
    assert rows_of(with_fewer(numbered(200, pixels=pixels), 30)) == rows_of(few)


def test_images_that_are_stored_in_a_random_order_are_not_copied() -> None:
    splits = numbered(200, pixels=Pixels((1, 1, 1), (0.0,), (1.0,), is_shuffled=True))

    few = with_fewer(splits, 30)

    assert rows_of(few) == list(range(30))
    assert few.train.inputs.data_ptr() == splits.train.inputs.data_ptr()


def test_validation_and_test_stay_as_they_are() -> None:
    few = with_fewer(DIGITS, 100)

    assert few.validation is DIGITS.validation
    assert few.test is DIGITS.test
    assert few.classes == 10


def test_the_choice_never_changes() -> None:
    """Studies that were begun with an earlier version go on with it."""
    rows = with_fewer(numbered(1000), 300).train.labels.numpy().astype("<i8")

    assert hashlib.sha256(rows.tobytes()).hexdigest() == CHOICE


CHOICE = "9f76b93053ed92e6643ca8ee5b06affbbb4220850e1020accf46afb7ce5c6f41"


def test_all_examples_are_all_examples() -> None:
    assert with_fewer(DIGITS, len(DIGITS.train)) is DIGITS


def test_the_subset_of_much_is_shared_with_other_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))
    monkeypatch.setattr("objectives.data.cache.sharing.shared.__kwdefaults__", {"least": 1})

    few = with_fewer(DIGITS, 100)

    (file,) = tmp_path.iterdir()
    assert file.stat().st_size > 100 * 64 * 4
    assert torch.equal(few.train.inputs, with_fewer(DIGITS, 100).train.inputs)


def workload(**settings: object) -> Objective:
    """A workload as a file describes it."""
    table = {
        "kind": "supervised",
        "data": {"kind": "digits"},
        "model": {"kind": "mlp", "hidden": [4]},
        "optimizer": {"kind": "heavy_ball"},
        "schedule": {"kind": "linear_decay"},
        **settings,
    }
    return build("objectives", table, Objective)


def test_it_is_a_key_of_the_objective() -> None:
    assert workload(train_examples=500).train_examples == 500
    assert workload().train_examples == 1097


def test_it_is_for_data_of_the_users_too() -> None:
    made = Supervised(Data("shares"), Mlp(), HeavyBall(), LinearDecay(), subset=20)

    assert len(made.splits.train) == made.train_examples == 20


@dataclass(frozen=True)
class Tokens:
    """Whole numbers."""

    def load(self) -> Splits:
        inputs = torch.arange(120).view(60, 2)
        split = Split(inputs, torch.arange(60) % 3)
        return Splits(split, split, split, classes=3, shape=(2,))


def test_whole_numbers_stay_whole() -> None:
    few = splits_of(Tokens(), Targets.CLASSES, whole_numbers=True, train_examples=7)

    assert few.train.inputs.dtype == torch.int64
    assert len(few.train) == 7


def test_too_many_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        _ = Classification(Digits(), Mlp(), HeavyBall(), LinearDecay(), subset=2000).splits

    (problem,) = caught.value.problems
    assert problem.path == "train_examples"
    assert problem.message == "train_examples is 2000, and there are 1097 to train on; take fewer"


def test_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"train_examples: should be greater than or equal to 1, not 0"):
        workload(train_examples=0)

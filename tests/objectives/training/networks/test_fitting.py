"""Batch sizes that do not fit a model are refused before anything is trained."""

import pytest
import torch
from torch import nn

from objectives.data.digits import Digits
from objectives.models import Architecture, Model
from objectives.models.cnn import Cnn, Size
from objectives.models.fully_connected import FullyConnected
from objectives.models.layers.norms import Norm
from objectives.models.mlp import Mlp
from objectives.training.networks.fitting import check_batch_sizes
from tuner.errors import ConfigError

GHOSTS = FullyConnected((4,), Norm.GHOST, 8)
TOO_FEW = "batch_sizes: 1 is too few: batch norm needs two examples or more to find a variance"


@pytest.mark.parametrize(
    ("model", "batch_sizes", "microbatch"),
    [
        (Mlp((4,)), [1, 3, 64], 2),
        (GHOSTS, [2, 4, 8, 16, 64], None),
        (GHOSTS, [4, 8, 16, 64], 16),
        (FullyConnected((4,), Norm.BATCH), [2, 3, 64], None),
        (Cnn(Size.NARROW, norm=Norm.BATCH), [1, 5], None),
    ],
)
def test_batch_sizes_that_fit_are_accepted_and_nothing_is_drawn(
    model: Model | Architecture, batch_sizes: list[int], microbatch: int | None
) -> None:
    before = torch.get_rng_state()

    check_batch_sizes(model, Digits().load(), batch_sizes, microbatch=microbatch)

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("model", "batch_sizes", "microbatch", "messages"),
    [
        (
            GHOSTS,
            [4, 12, 16, 20],
            None,
            [f"batch_sizes: {each} is not a multiple of the 8 examples of a ghost batch" for each in (12, 20)],
        ),
        (GHOSTS, [8, 16, 32], 4, ["objective.microbatch: 4 is not a multiple of the 8 examples of a ghost batch"]),
        (
            FullyConnected((4,), Norm.BATCH),
            [2, 16],
            8,
            [
                "objective.microbatch: batch norm needs all 16 examples of a minibatch at once, not 8; "
                "use ghost batch norm, or none"
            ],
        ),
        (FullyConnected((4,), Norm.BATCH), [1, 2], None, [TOO_FEW]),
        (GHOSTS, [1, 9], None, ["batch_sizes: 9 is not a multiple of the 8 examples of a ghost batch", TOO_FEW]),
    ],
)
def test_all_that_does_not_fit_is_said_at_once(
    model: Model | Architecture, batch_sizes: list[int], microbatch: int | None, messages: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_batch_sizes(model, Digits().load(), batch_sizes, microbatch=microbatch)

    assert [str(each) for each in caught.value.problems] == messages


def test_a_model_is_made_once_for_all_batch_sizes() -> None:
    made: list[int] = []

    class Counted:
        def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
            made.append(classes)
            return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    check_batch_sizes(Counted(), Digits().load(), [2, 4, 8])

    assert made == [10]

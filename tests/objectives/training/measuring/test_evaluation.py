"""Examples whose outputs are written down: the error and the loss of each can be seen."""

import math

import pytest
import torch
from torch import Tensor, nn

from objectives.data import Split, Splits
from objectives.models.mlp import MlpNetwork
from objectives.training.measuring.evaluation import BLOCK, Evaluation, block_of
from objectives.training.networks.modules import ModuleNetwork
from tuner.objective import MeasuringPlan

CPU = torch.device("cpu")


def identical(outputs: list[list[float]], *, label: int = 0) -> tuple[MlpNetwork, Evaluation]:
    """A network, and examples of each split on which its outputs may be these."""
    split = Split(torch.tensor(outputs), torch.full((len(outputs),), label))
    splits = Splits(train=split, validation=split, test=split, classes=2, shape=(2,))
    network = MlpNetwork((2, 2), lanes=1, batch_size=1, device=CPU, dtype=torch.float32)
    return network, Evaluation(splits, MeasuringPlan(), lanes=1, device=CPU, dtype=torch.float32)


def measured(outputs: list[list[float]], *, label: int = 0) -> tuple[float, float, float]:
    """Validation loss, validation error and test error, of a network whose outputs are these for both."""
    network, evaluation = identical(outputs, label=label)
    tally = evaluation.tally(evaluation.recall(), reached=0)
    evaluation.measure(network, identity(network), [tally])
    (test,) = evaluation.test(network, identity(network))
    return tally.values()["validation/loss"], tally.values()["validation/error"], test["test/error"]


def identity(network: MlpNetwork) -> Tensor:
    """Parameters with which the outputs are the inputs."""
    parameters = torch.zeros(1, network.parameters)
    ((weights, _),) = network.layers(parameters)
    weights.copy_(torch.eye(2))
    return parameters


def test_the_loss_is_the_mean_of_the_labels_negative_log_probability() -> None:
    loss, _, _ = measured([[0.0, math.log(3)], [math.log(3), 0.0]])

    assert loss == pytest.approx((math.log(4) + math.log(4 / 3)) / 2)


def test_the_error_is_the_fraction_whose_largest_output_is_anothers() -> None:
    _, validation, test = measured([[1.0, 2.0], [2.0, 1.0], [3.0, -1.0], [0.5, 0.0]])

    assert (validation, test) == (0.25, 0.25)


def test_outputs_that_are_all_equal_decide_nothing() -> None:
    """A network that has died would otherwise get right whatever class comes first."""
    _, validation, _ = measured([[1.0, 1.0], [2.0, 1.0]])

    assert validation == 0.5


@pytest.mark.parametrize("output", [math.inf, -math.inf, math.nan])
def test_an_output_that_is_not_finite_is_an_error(output: float) -> None:
    for outputs in ([output, 0.0], [0.0, output]):
        _, validation, _ = measured([outputs, [1.0, 0.0]])

        assert validation == 0.5


@torch.no_grad()
def test_texts_are_measured_at_every_position() -> None:
    """Outputs are the log-probabilities of the token before: 1/4 and 3/4, or 1/2 each, which decides nothing."""
    texts = torch.tensor([[0, 0, 0, 1], [1, 0, 0, 0]])
    split = Split(texts, torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]]))
    splits = Splits(train=split, validation=split, test=split, classes=2, shape=(4,))
    network = ModuleNetwork(lambda: nn.Embedding(2, 2), (4,), device=CPU, dtype=torch.float32)
    row = torch.zeros(1, network.parameters)
    row[0, :4] = torch.tensor([1 / 4, 3 / 4, 1 / 2, 1 / 2]).log()
    evaluation = Evaluation(splits, MeasuringPlan(), lanes=1, device=CPU, dtype=torch.float32, test_loss=True)

    (tally,) = evaluation.measured(network, row, [evaluation.recall()], [0])
    (test,) = evaluation.test(network, row)

    loss = (5 * math.log(4 / 3) + math.log(4) + 2 * math.log(2)) / 8
    assert tally.values() == pytest.approx({"validation/loss": loss, "validation/error": 3 / 8})
    assert test == pytest.approx({"test/loss": loss, "test/error": 3 / 8})
    assert evaluation.initial_loss(network, row[0]).item() == pytest.approx(loss)


@pytest.mark.parametrize(("positions", "block"), [(1, 512), (16, 512), (64, 128), (8192, 1), (10000, 1)])
def test_a_block_of_texts_has_as_many_examples_as_their_outputs_have_room_for(positions: int, block: int) -> None:
    assert block_of(torch.zeros(3, positions, dtype=torch.int64)) == block
    assert block_of(torch.zeros(3, positions)) == block_of(torch.zeros(3, dtype=torch.int64)) == BLOCK


def test_the_initial_loss_is_the_mean_over_the_training_set_if_it_is_small() -> None:
    network, evaluation = identical([[0.0, math.log(3)], [math.log(3), 0.0]])

    loss = evaluation.initial_loss(network, identity(network)[0])

    assert loss.item() == pytest.approx((math.log(4) + math.log(4 / 3)) / 2)


def test_the_initial_loss_of_a_large_training_set_is_that_of_a_random_block_of_it() -> None:
    """A training set may be in the order of its classes."""
    halves = [[0.0, 0.0]] * 5 * BLOCK + [[9.0, 0.0]] * 5 * BLOCK
    network, evaluation = identical(halves, label=1)

    loss = evaluation.initial_loss(network, identity(network)[0])

    assert loss.item() == pytest.approx((math.log(2) + 9) / 2, rel=0.1)

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from objectives.models.mlp import CROWDED, Mlp, MlpNetwork
from tests.objectives.reference import losses_and_gradient

CPU = torch.device("cpu")


def network(*hidden: int, lanes: int, batch_size: int, features: int = 7, classes: int = 5) -> MlpNetwork:
    model = Mlp(hidden)
    return model.network((features,), classes, lanes=lanes, batch_size=batch_size, device=CPU, dtype=torch.float64)


def problem(made: MlpNetwork, *, lanes: int, batch_size: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Parameters, inputs and labels."""
    generator = torch.Generator().manual_seed(seed)
    parameters = torch.stack([made.initialise(generator).double() for _ in range(lanes)])
    inputs = torch.randn(lanes, batch_size, 7, generator=generator, dtype=torch.float64)
    return parameters, inputs, torch.randint(5, (lanes, batch_size), generator=generator)


def differentiate(made: MlpNetwork, parameters: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Losses and gradients by autograd."""
    leaf = parameters.clone().requires_grad_()
    outputs, layers = inputs, made.layers(leaf)
    for weights, biases in layers:
        outputs = outputs @ weights + biases
        outputs = outputs if weights is layers[-1][0] else outputs.relu()
    losses = functional.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
    (gradient,) = torch.autograd.grad(losses.mean(1).sum(), leaf)
    return losses.mean(1).detach(), gradient


@given(
    hidden=st.lists(st.integers(1, 9), max_size=3),
    lanes=st.integers(1, 4),
    batch_size=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_gradients_equal_those_of_autograd(hidden: list[int], lanes: int, batch_size: int, seed: int) -> None:
    made = network(*hidden, lanes=lanes, batch_size=batch_size)
    parameters, inputs, labels = problem(made, lanes=lanes, batch_size=batch_size, seed=seed)

    losses, gradient = losses_and_gradient(made, parameters, inputs, labels)

    expected_losses, expected_gradient = differentiate(made, parameters, inputs, labels)
    torch.testing.assert_close(losses, expected_losses, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=1e-12)


def test_gradients_are_added_to_what_is_there() -> None:
    made = network(CROWDED, 6, lanes=2, batch_size=4)
    parameters, inputs, labels = problem(made, lanes=2, batch_size=4)
    sums = torch.ones_like(parameters)

    losses = made.add_gradient(parameters, inputs, labels, sums, share=0.25)

    expected_losses, gradient = differentiate(made, parameters, inputs, labels)
    torch.testing.assert_close(losses, expected_losses, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sums, 1 + 0.25 * gradient, rtol=1e-12, atol=1e-12)


def test_gradients_are_right_where_probabilities_underflow() -> None:
    made = network(6, lanes=3, batch_size=4)
    parameters, inputs, labels = problem(made, lanes=3, batch_size=4)
    parameters *= 1000

    losses, gradient = losses_and_gradient(made, parameters, inputs, labels)

    expected_losses, expected_gradient = differentiate(made, parameters, inputs, labels)
    assert losses.max() > 1000
    torch.testing.assert_close(losses, expected_losses, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=1e-12)


def test_gradients_follow_when_other_parameters_are_passed() -> None:
    made = network(6, lanes=2, batch_size=4)
    parameters, inputs, labels = problem(made, lanes=2, batch_size=4)
    others = parameters + 0.1

    losses_and_gradient(made, parameters, inputs, labels)
    _, gradient = losses_and_gradient(made, others, inputs, labels)

    torch.testing.assert_close(gradient, differentiate(made, others, inputs, labels)[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_lane_that_is_not_finite_changes_no_other(poison: float) -> None:
    made = network(6, lanes=3, batch_size=4)
    parameters, inputs, labels = problem(made, lanes=3, batch_size=4)
    losses, gradient = (each.clone() for each in losses_and_gradient(made, parameters, inputs, labels))
    parameters[1] = poison

    poisoned_losses, poisoned_gradient = losses_and_gradient(made, parameters, inputs, labels)

    assert not poisoned_losses[1].isfinite()
    assert torch.equal(poisoned_losses[[0, 2]], losses[[0, 2]])
    assert torch.equal(poisoned_gradient[[0, 2]], gradient[[0, 2]])


def test_softmax_regression_from_zero_has_loss_log_of_the_classes() -> None:
    made = network(lanes=1, batch_size=3)
    _, inputs, labels = problem(made, lanes=1, batch_size=3)

    losses, _ = losses_and_gradient(made, torch.zeros(1, made.parameters, dtype=torch.float64), inputs, labels)

    assert losses.item() == pytest.approx(math.log(5), rel=1e-12)


def test_layers_start_as_those_of_torch_do() -> None:
    made = network(1000, lanes=1, batch_size=1, features=400)
    torch.manual_seed(0)
    expected = torch.nn.Linear(400, 1000)

    row = made.initialise(torch.Generator().manual_seed(0)).unsqueeze(0)

    (weights, biases), _ = made.layers(row)
    for ours, theirs in ((weights, expected.weight), (biases, expected.bias)):
        assert ours.abs().max().item() <= 0.05
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)
        assert ours.mean().item() == pytest.approx(0.0, abs=0.003)
    used = sum(each.numel() for layer in made.layers(row) for each in layer)
    assert row.count_nonzero().item() == used == 400 * 1000 + 1000 + 1000 * 5 + 5

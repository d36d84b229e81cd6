"""Every loss is the mean over the examples, and differentiates each lane by itself."""

import math

import pytest
import torch

from objectives.losses import LOSS_BY_NAME, Loss, Targets
from objectives.losses.cross_entropy import CROSS_ENTROPY
from tests.objectives.users import absolute
from tuner.experiment.components import available

LOSSES = [LOSS_BY_NAME.read(name) for name in available("objectives.losses")]


def examples(loss: Loss, many: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs `[example, 3]` and targets that the loss takes."""
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn(many, 3, generator=generator, dtype=torch.float64)
    if loss.targets is Targets.CLASSES:
        return outputs, torch.randint(3, (many,), generator=generator)
    return outputs, torch.rand(many, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda each: each.name)
def test_a_loss_is_the_mean_over_the_examples(loss: Loss) -> None:
    outputs, targets = examples(loss, 10)

    parts = [loss.function(outputs[part], targets[part]) for part in (slice(4), slice(4, 10))]

    torch.testing.assert_close(loss.function(outputs, targets), 0.4 * parts[0] + 0.6 * parts[1])


@pytest.mark.parametrize("loss", LOSSES, ids=lambda each: each.name)
def test_a_loss_is_named_as_its_file(loss: Loss) -> None:
    assert LOSS_BY_NAME.read(loss.name) is loss


@pytest.mark.parametrize("loss", LOSSES, ids=lambda each: each.name)
def test_a_lane_has_the_gradient_that_it_has_alone_also_beside_infinities(loss: Loss) -> None:
    outputs, targets = examples(loss, 6)
    lanes = torch.stack([outputs, torch.full_like(outputs, math.inf)])
    both = torch.stack([targets, targets])

    with torch.inference_mode():
        losses, gradients = loss.gradient(lanes.clone(), both.clone())

    leaf = outputs.clone().requires_grad_()
    alone = loss.function(leaf, targets)
    assert torch.equal(losses[0], alone)
    assert torch.equal(gradients[0], torch.autograd.grad(alone, leaf)[0])


def test_known_values() -> None:
    outputs, zeros = torch.tensor([[0.0], [2.0]]), torch.zeros(2, 1)
    known = {"mse": 2.0, "bce": (math.log(2) + math.log(1 + math.e**2)) / 2}
    for name, value in known.items():
        loss = LOSS_BY_NAME.read(name)
        assert isinstance(loss, Loss)
        assert loss.function(outputs, zeros).item() == pytest.approx(value)
    assert CROSS_ENTROPY.function(torch.zeros(2, 4), torch.tensor([0, 3])).item() == pytest.approx(math.log(4))


def test_a_function_of_the_users_takes_what_the_data_are() -> None:
    loss = LOSS_BY_NAME.read("tests.objectives.users:absolute")

    assert loss == Loss("tests.objectives.users:absolute", absolute, Targets.ANY, ("loss",))

"""Every loss is the mean over the examples, and differentiates each lane by itself."""

import math

import pytest
import torch

from objectives.losses import LOSS_BY_NAME, Loss, Targets
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.next_token import NEXT_TOKEN
from tests.objectives.users import absolute
from tuner.experiment.components import available

LOSSES = [LOSS_BY_NAME.read(name) for name in available("objectives.losses")]


def examples(loss: Loss, many: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs `[example, 3]`, or of tokens `[example, 5, 3]`, and targets that the loss takes."""
    generator = torch.Generator().manual_seed(1)
    if loss.targets is Targets.TOKENS:
        outputs = torch.randn(many, 5, 3, generator=generator, dtype=torch.float64)
        return outputs, torch.randint(3, (many, 5), generator=generator)
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


def test_the_loss_of_the_next_token_is_the_mean_over_all_positions() -> None:
    odds = torch.tensor([1.0, 2.0, 5.0])
    outputs = odds.log().expand(2, 2, 3)

    found = NEXT_TOKEN.function(outputs, torch.tensor([[0, 1], [2, 2]]))

    assert found.item() == pytest.approx((math.log(8) + math.log(4) + 2 * math.log(8 / 5)) / 4)


def test_a_function_of_the_users_takes_what_the_data_are() -> None:
    loss = LOSS_BY_NAME.read("tests.objectives.users:absolute")

    assert loss == Loss("tests.objectives.users:absolute", absolute, Targets.ANY, ("loss",))


def test_a_token_has_the_likelihood_of_a_class() -> None:
    assert NEXT_TOKEN.likelihood is CROSS_ENTROPY.likelihood


@pytest.mark.parametrize("loss", [each for each in LOSSES if each is not NEXT_TOKEN], ids=lambda each: each.name)
def test_a_likelihood_has_the_hessian_of_the_loss(loss: Loss) -> None:
    assert loss.likelihood is not None
    outputs, targets = examples(loss, 1)
    hessian = torch.func.hessian(loss.function)(outputs, targets)[0, :, 0]
    chances = (torch.arange(40000, dtype=torch.float64) + 0.5).div(40000).float()

    if loss.likelihood.joint:
        root = loss.likelihood.roots(outputs)[:, 0]
        gradients = loss.likelihood.drawn(outputs.expand(40000, -1), chances)
        exact, sampled = root.T @ root, gradients.T @ gradients / 40000
    else:
        alone = outputs.view(3, 1)  # the loss is the mean over the outputs
        exact = (loss.likelihood.roots(alone)[0, :, 0] ** 2).diag() / 3
        squares = [loss.likelihood.drawn(each.expand(40000, 1), chances).square().mean() for each in alone]
        sampled = torch.stack(squares).diag() / 3

    torch.testing.assert_close(exact, hessian, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(sampled, hessian, rtol=1e-3, atol=1e-3)

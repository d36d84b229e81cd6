"""Gradients with label smoothing and gradient noise are those of plain torch, in a perceptron and in a module."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.data import Split, Splits
from objectives.losses import Loss
from objectives.losses.bce import BCE
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.mse import MSE
from objectives.models import Network
from objectives.models.layers.dropout import Dropout
from objectives.models.mlp import Mlp
from objectives.models.regularisation import Regularisation, Regularises, Smoothing, add_gradient
from objectives.training.networks.modules import ModuleNetwork
from objectives.training.networks.network import Computation, networks_for

CPU = torch.device("cpu")
LANES, EXAMPLES, FEATURES, CLASSES = 3, 8, 4, 5
SMOOTHING = torch.tensor([[0.0], [0.1], [0.4]], dtype=torch.float64)
Objective = Callable[[Tensor, Tensor, float, Tensor], Tensor]
"""What is minimised: from outputs `[example, output]`, targets, the smoothing and the weights `[example]` of a lane."""


class Layers:
    """A linear model, as a torch module."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Linear(shape[0], 6), nn.Tanh(), nn.Linear(6, classes))


def network(model: Mlp | Layers, loss: Loss, *, lanes: int, microbatch: int | None) -> Network:
    targets = torch.zeros(2, dtype=torch.int64) if loss is CROSS_ENTROPY else torch.zeros(2, CLASSES)
    part = Split(torch.zeros(2, FEATURES), targets)
    data = Splits(part, part, part, classes=CLASSES, shape=(FEATURES,))
    double = Computation(dtype=torch.float64, microbatch=microbatch)
    made = networks_for(model, data, double, lanes=lanes, batch_size=EXAMPLES, device=CPU, loss=loss)
    return made._make(lanes)


def problem(loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and weights."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(LANES, EXAMPLES, FEATURES, generator=generator, dtype=torch.float64)
    weights = 1 + 0.5 * torch.randn(LANES, EXAMPLES, generator=generator, dtype=torch.float64)
    if loss is CROSS_ENTROPY:
        return inputs, torch.randint(CLASSES, (LANES, EXAMPLES), generator=generator), weights
    return inputs, torch.rand(LANES, EXAMPLES, CLASSES, generator=generator, dtype=torch.float64), weights


def as_the_paper(outputs: Tensor, labels: Tensor, smoothing: float, weights: Tensor) -> Tensor:
    """Targets as Shallue et al. have them, on a class and off it."""
    targets = torch.full_like(outputs, smoothing / (CLASSES - 1))
    targets[torch.arange(len(labels)), labels] = 1 - smoothing
    return (weights * functional.cross_entropy(outputs, targets, reduction="none")).mean()


def as_torch(outputs: Tensor, labels: Tensor, smoothing: float, weights: Tensor) -> Tensor:
    each = functional.cross_entropy(outputs, labels, reduction="none", label_smoothing=smoothing)
    return (weights * each).mean()


def squares(outputs: Tensor, targets: Tensor, smoothing: float, weights: Tensor) -> Tensor:
    return (weights * (outputs - targets).square().mean(1)).mean()


def log_odds(outputs: Tensor, targets: Tensor, smoothing: float, weights: Tensor) -> Tensor:
    each = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return (weights * each.mean(1)).mean()


@pytest.mark.parametrize("microbatch", [None, 3, 1])
@pytest.mark.parametrize("model", [Mlp((6,)), Layers()], ids=["perceptron", "module"])
@pytest.mark.parametrize("noisy", [False, True], ids=["even", "noisy"])
@pytest.mark.parametrize(
    ("loss", "smoothing", "objective"),
    [
        (CROSS_ENTROPY, Smoothing.PAPER, as_the_paper),
        (CROSS_ENTROPY, Smoothing.TORCH, as_torch),
        (CROSS_ENTROPY, None, as_torch),
        (MSE, None, squares),
        (BCE, None, log_odds),
    ],
    ids=["paper", "torch", "plain", "mse", "bce"],
)
def test_gradients_are_those_of_autograd_and_losses_stay_plain(
    model: Mlp | Layers,
    loss: Loss,
    smoothing: Smoothing | None,
    objective: Objective,
    noisy: bool,
    microbatch: int | None,
) -> None:
    inputs, targets, weights = problem(loss)
    many = LANES if isinstance(model, Mlp) else 1
    made = network(model, loss, lanes=many, microbatch=microbatch)
    rows = torch.stack([made.initialise(torch.Generator().manual_seed(lane)) for lane in range(LANES)]).double()
    spread = None if smoothing is None else smoothing.spread(SMOOTHING, CLASSES)
    sums, losses = torch.ones_like(rows), torch.zeros(LANES, dtype=torch.float64)
    with torch.no_grad():
        for first in range(0, LANES, many):
            lanes = slice(first, first + many)
            of_lanes = None if spread is None else spread[lanes], weights[lanes] if noisy else None
            losses[lanes] = add_gradient(
                made, rows[lanes], inputs[lanes], targets[lanes], sums[lanes], 0.5, Regularisation(*of_lanes)
            )

    for lane in range(LANES):
        leaf = rows[lane].clone().requires_grad_()
        outputs = outputs_of(made, leaf, inputs[lane])
        strength = 0.0 if smoothing is None else SMOOTHING[lane].item()
        minimised = objective(
            outputs, targets[lane], strength, weights[lane] if noisy else torch.ones(EXAMPLES).double()
        )
        (gradient,) = torch.autograd.grad(0.5 * minimised, leaf)
        torch.testing.assert_close(sums[lane], 1 + gradient, rtol=1e-10, atol=1e-10)
        assert losses[lane].item() == pytest.approx(loss.function(outputs, targets[lane]).item(), rel=1e-10)


def outputs_of(made: Network, row: Tensor, inputs: Tensor) -> Tensor:
    """Outputs that can be differentiated by the row."""
    network = made._network  # type: ignore[attr-defined]
    if not isinstance(network, ModuleNetwork):
        return made.logits(row.unsqueeze(0), inputs)[0]
    names = [name for name, _ in network._module.named_parameters()]
    leaves = dict(zip(names, network._leaves(row), strict=True))
    outputs: Tensor = torch.func.functional_call(network._module, leaves, inputs)
    return outputs


@pytest.mark.parametrize("classes", [2, 10])
def test_both_conventions_are_the_same_but_for_the_strength(classes: int) -> None:
    given = torch.tensor([0.0, 0.1, 0.5])

    assert torch.equal(Smoothing.TORCH.spread(given, classes), given)
    torch.testing.assert_close(Smoothing.PAPER.spread(given, classes), given * classes / (classes - 1))


def test_labels_of_several_positions_are_smoothed_at_each() -> None:
    outputs = torch.randn(1, 3, 4, CLASSES, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(CLASSES, (1, 3, 4), generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([[0.5, 2.0, 1.0]], dtype=torch.float64)
    each = functional.cross_entropy(outputs[0].flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=0.2)
    (expected,) = torch.autograd.grad((weights[0] * each.view(3, 4).mean(1)).mean(), outputs)
    plain = functional.cross_entropy(outputs[0].flatten(0, 1), labels.flatten())
    (gradient,) = torch.autograd.grad(plain, outputs)

    Regularisation(torch.tensor([[0.2]], dtype=torch.float64), weights).change(gradient, labels, share=1.0)

    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [nn.Dropout, Dropout])
def test_a_rate_of_dropout_is_set_for_one_step_and_back_for_the_next(kind: type[nn.Module]) -> None:
    made = ModuleNetwork(
        lambda: nn.Sequential(nn.Linear(FEATURES, CLASSES), kind(0.3)), (FEATURES,), device=CPU, dtype=torch.float64
    )
    row = made.initialise(torch.Generator().manual_seed(0)).double().unsqueeze(0)
    inputs, labels = torch.randn(1, EXAMPLES, FEATURES).double(), torch.zeros(1, EXAMPLES, dtype=torch.int64)
    outputs = outputs_before_dropout(made, row, inputs[0])

    def loss(rate: float | None) -> float:
        torch.manual_seed(5)
        changes = None if rate is None else Regularisation(dropout=torch.tensor([[rate]], dtype=torch.float64))
        return add_gradient(made, row, inputs, labels, torch.zeros_like(row), regularisation=changes).item()

    torch.manual_seed(5)
    kept = torch.rand(outputs.shape) >= 0.6
    dropped = functional.cross_entropy(outputs * kept / 0.4, labels[0]).item()
    torch.manual_seed(5)
    own = functional.cross_entropy(functional.dropout(outputs, 0.3), labels[0]).item()

    assert [loss(None), loss(0.6), loss(None)] == pytest.approx([own, dropped, own], rel=1e-12)
    assert loss(0.0) == pytest.approx(functional.cross_entropy(outputs, labels[0]).item(), rel=1e-12)


def outputs_before_dropout(made: ModuleNetwork, row: Tensor, inputs: Tensor) -> Tensor:
    return made.logits(row, inputs)[0]


class OwnDropout(nn.Dropout):
    """A kind of dropout of a user's own."""


@pytest.mark.parametrize(
    ("layer", "loss", "expected"),
    [
        (nn.Dropout(0.5), CROSS_ENTROPY, {"gradient_noise", "label_smoothing", "dropout"}),
        (nn.Identity(), CROSS_ENTROPY, {"gradient_noise", "label_smoothing"}),
        (OwnDropout(0.5), CROSS_ENTROPY, {"gradient_noise", "label_smoothing"}),
        (nn.Dropout(0.5), MSE, {"gradient_noise", "dropout"}),
    ],
)
def test_a_module_says_what_can_be_applied_to_it(layer: nn.Module, loss: Loss, expected: set[str]) -> None:
    made = ModuleNetwork(
        lambda: nn.Sequential(nn.Linear(3, 2), layer), (3,), device=CPU, dtype=torch.float64, loss=loss
    )

    assert made.regularisers == expected


@pytest.mark.parametrize(
    ("loss", "expected"), [(CROSS_ENTROPY, {"gradient_noise", "label_smoothing"}), (MSE, {"gradient_noise"})]
)
def test_a_perceptron_says_what_can_be_applied_to_it(loss: Loss, expected: set[str]) -> None:
    made = network(Mlp((6,)), loss, lanes=1, microbatch=3)

    assert isinstance(made, Regularises)
    assert made.regularisers == expected

"""K-FAC in lanes is K-FAC as the paper has it, with a damping, a momentum and an interval for each trial."""

import math
from collections.abc import Iterable, Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.losses.mse import MSE
from objectives.models import Architecture, Layer, Model
from objectives.models.cnn import Cnn, Size
from objectives.models.layers.norms import Norm
from objectives.models.mlp import Mlp
from objectives.optimizers import Fisher
from objectives.optimizers.kfac import Kfac, damped_inverses
from tests.objectives.optimizers.kfac_lanes import SEVERAL, TYPICAL, lanes_of, minibatches, trained
from tests.objectives.optimizers.plain_kfac import CLASSES, SHAPE, Plain, Small
from tests.objectives.reference import DEVICES


@pytest.mark.parametrize("decays", [(), (0.01, 0.1, 0.0)], ids=["plain", "weight decay"])
def test_a_hundred_steps_are_those_of_a_loop_that_is_written_out(decays: Sequence[float]) -> None:
    trials = (
        [{**each, "weight_decay": decay} for each, decay in zip(SEVERAL, decays, strict=True)] if decays else SEVERAL
    )
    made = lanes_of(Small(), trials)
    inputs, labels = minibatches(100, 3)

    trained(made, inputs, labels)

    network = made._networks.now
    for lane, trial in enumerate(trials):
        alone = Plain(trial, seed=10 + lane, generator=torch.Generator().manual_seed(lane))
        for minibatch in zip(inputs[:, lane], labels[:, lane], strict=True):
            alone.step(*minibatch)
        found = network.named_weights(made.parameters[lane])  # type: ignore[attr-defined]
        torch.testing.assert_close(dict(found), dict(alone.module.state_dict()), rtol=1e-8, atol=1e-9)


def test_a_step_solves_the_dense_block_of_each_layer() -> None:
    trial = TYPICAL | {"momentum": 0.0}
    made = lanes_of(Mlp((5,)), [trial], fisher=Fisher.EXACT)
    inputs, labels = minibatches(1, 1)
    network, before = made._networks.now, made.parameters.clone()
    gradient = torch.zeros_like(before)
    with torch.no_grad():
        network.add_gradient(before, inputs[0], labels[0], gradient)

    after = trained(made, inputs, labels)

    state = made._state
    for number, layer in enumerate(made._layout.layers):
        below, above = state[1 + 4 * number][0], state[2 + 4 * number][0]
        pi = math.sqrt(below.diagonal().mean() / above.diagonal().mean())
        root = math.sqrt(trial["damping"])
        block = torch.kron(
            above + root / pi * torch.eye(len(above)).double(), below + pi * root * torch.eye(len(below)).double()
        )  # of the layer's weights and biases, output by output

        step = torch.linalg.solve(block, matrix_of(layer, gradient[0]))
        moved = matrix_of(layer, after[0] - before[0])
        torch.testing.assert_close(moved, -trial["learning_rate"] * step, rtol=1e-9, atol=1e-12)


def matrix_of(layer: Layer, row: Tensor) -> Tensor:
    """A layer's part of a row: output by output, the weights and the bias."""
    assert layer.biases is not None
    weights = row[layer.weights : layer.weights + layer.outputs * layer.inputs].view(layer.outputs, layer.inputs)
    return torch.cat([weights, row[layer.biases : layer.biases + layer.outputs].unsqueeze(1)], 1).flatten()


def test_layers_of_other_kinds_move_by_their_gradient() -> None:
    trial = TYPICAL | {"momentum": 0.0}
    made = lanes_of(Small(), [trial])
    inputs, labels = minibatches(1, 1)
    network, before = made._networks.now, made.parameters.clone()
    gradient = torch.zeros_like(before)
    with torch.no_grad():
        network.add_gradient(before, inputs[0], labels[0], gradient)

    after = trained(made, inputs, labels)

    (norm,) = [each for each in made._layout.blocks if each.name == "1.weight"]
    scales = slice(norm.start, norm.start + 2)
    torch.testing.assert_close(after[0, scales], (before - trial["learning_rate"] * gradient)[0, scales])
    assert gradient[0, scales].all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", [Mlp((5,)), Small(), Cnn(Size.NARROW, norm=Norm.GHOST, ghost_size=4)])
def test_a_lane_is_what_it_is_alone(model: Model | Architecture, device: str) -> None:
    inputs, labels = minibatches(8, 3, dtype=torch.float32)

    together = trained(lanes_of(model, SEVERAL, device=device, dtype=torch.float32), inputs, labels)

    for lane in range(3):
        beside_none = [{**TYPICAL, "learning_rate": 0.0}] * lane + [SEVERAL[lane]]
        alone = lanes_of(model, beside_none, device=device, dtype=torch.float32)
        torch.testing.assert_close(
            trained(alone, inputs[:, : lane + 1], labels[:, : lane + 1])[lane], together[lane], rtol=0, atol=0
        )


def test_a_lane_that_diverges_disturbs_no_other_and_raises_nothing() -> None:
    inputs, labels = minibatches(30, 3)
    calm = trained(lanes_of(Small(), SEVERAL), inputs, labels)

    wild = trained(lanes_of(Small(), [SEVERAL[0], TYPICAL | {"learning_rate": 1e200}, SEVERAL[2]]), inputs, labels)

    assert not wild[1].isfinite().all()
    assert torch.equal(wild[[0, 2]], calm[[0, 2]])


def test_a_learning_rate_of_zero_leaves_a_lane_where_it_is() -> None:
    made = lanes_of(Small(), [TYPICAL | {"learning_rate": 0.0}])
    before = made.parameters.clone()

    assert torch.equal(trained(made, *minibatches(5, 1)), before)


def test_factors_change_when_the_interval_of_their_lane_is_over() -> None:
    made = lanes_of(Small(), SEVERAL)
    inputs, labels = minibatches(22, 3)
    changed: list[list[int]] = [[], [], []]

    for step in range(22):
        before = [each.clone() for each in made._state[1:]]
        trained(made, inputs[step : step + 1], labels[step : step + 1])
        for lane in range(3):
            differs = [bool((old[lane] != now[lane]).any()) for old, now in zip(before, made._state[1:], strict=True)]
            assert all(differs) or not any(differs)
            if any(differs):
                changed[lane].append(step)

    assert changed == [[*range(0, 22, 3)], [*range(22)], [0, 7, 14, 21]]


def test_lanes_of_one_call_keep_to_their_own_intervals() -> None:
    class Moments:
        """A problem of one layer whose factors are the number of the call."""

        def __init__(self) -> None:
            self.layout = lanes_of(Mlp(()), [TYPICAL])._layout
            self.calls = 0

        def gradient(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
            return torch.zeros(len(parameters)), torch.ones_like(parameters)

        def add_gradient(self, parameters: Tensor, sums: Tensor) -> Tensor:
            raise NotImplementedError

        def gradient_and_factors(self, parameters: Tensor) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
            self.calls += 1
            factors = [torch.eye(side).expand(len(parameters), -1, -1) * (step + 1) for side in (37, CLASSES)]
            return *self.gradient(parameters), [(factors[0], factors[1])]

    optimizer, problem = Kfac(), Moments()
    parameters = torch.zeros(2, problem.layout.trained)
    state = optimizer.initial_state(parameters, problem.layout)
    values = {name: torch.ones(2, dtype=torch.float64) for name in optimizer.hyperparameters}
    values |= {"update_interval": torch.tensor([2.0, 3.0]), "factor_decay": torch.zeros(2)}
    seen = []

    for step in range(7):
        numbers = optimizer.numbers(torch.full((1, 2), step), values)
        given = {name: each.expand(1, 2)[0].unsqueeze(1).float() for name, each in numbers.items()}
        optimizer.step(problem, parameters, state, given)
        seen.append(state[1][:, 0, 0].tolist())

    assert seen == [[1, 1], [1, 1], [3, 1], [3, 4], [5, 4], [5, 4], [7, 7]]
    assert problem.calls == 5


def test_hyperparameters_that_the_space_leaves_out_have_defaults() -> None:
    inputs, labels = minibatches(12, 1)
    short = {"learning_rate": 0.05, "damping": 0.1}

    found = trained(lanes_of(Small(), [short]), inputs, labels)

    full = short | {"momentum": 0.0, "factor_decay": 0.95, "update_interval": 10.0}
    assert torch.equal(found, trained(lanes_of(Small(), [full]), inputs, labels))
    assert not torch.equal(found, trained(lanes_of(Small(), [full | {"update_interval": 9.0}]), inputs, labels))


def test_least_squares_is_solved_in_one_step() -> None:
    """With one linear layer and squared errors the block of the Fisher matrix is the Hessian, exactly."""
    trial = {"learning_rate": 1.0, "damping": 1e-12, "update_interval": 1.0}
    made = lanes_of(Mlp(()), [trial], fisher=Fisher.EXACT, loss=MSE)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, math.prod(SHAPE), generator=generator, dtype=torch.float64)
    targets = torch.randn(200, CLASSES, generator=generator, dtype=torch.float64)

    after = trained(made, inputs.view(1, 1, 200, -1), targets.view(1, 1, 200, -1))

    solution = torch.linalg.lstsq(torch.cat([inputs, torch.ones(200, 1)], 1), targets).solution
    weights = made._networks.now.named_weights(after[0])  # type: ignore[attr-defined]
    torch.testing.assert_close(
        torch.cat([weights["0.weight"].T, weights["0.bias"].unsqueeze(0)]), solution, rtol=1e-4, atol=1e-5
    )


def steps_to(losses: Iterable[float], target: float, *, most: int) -> int:
    return next(step for step, each in enumerate(losses) if each < target or step == most)


def test_softmax_regression_on_inputs_of_many_scales_takes_a_thirtieth_of_the_steps_of_gradient_descent() -> None:
    features = math.prod(SHAPE)
    generator = torch.Generator().manual_seed(0)
    even = torch.randn(300, features, generator=generator, dtype=torch.float64)
    weights = torch.randn(features, CLASSES, generator=generator, dtype=torch.float64)
    labels = torch.multinomial((even @ weights / 2).softmax(1), 1, generator=generator)[:, 0]
    inputs = even * torch.logspace(-1.5, 0.5, features, dtype=torch.float64)
    trial = {"learning_rate": 1.0, "damping": 1e-4, "update_interval": 1.0, "factor_decay": 0.0}
    made = lanes_of(Mlp(()), [trial], fisher=Fisher.EXACT)

    def with_kfac() -> Iterator[float]:
        while True:
            trained(made, inputs.view(1, 1, 300, -1), labels.view(1, 1, -1))
            yield made.collect_losses(torch.tensor([0])).item()

    def by_descent(rate: float) -> Iterator[float]:
        model = nn.Linear(features, CLASSES).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        while True:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs), labels)
            torch.autograd.backward(loss)
            optimizer.step()
            yield loss.item()

    few = steps_to(with_kfac(), 0.45, most=20)

    assert few < 20
    assert min(steps_to(by_descent(rate), 0.45, most=2000) for rate in (0.3, 1.0, 3.0)) > 30 * few


def test_a_layer_whose_factors_are_zero_moves_by_its_gradient() -> None:
    zero, other = torch.zeros(1, 3, 3), torch.eye(2).unsqueeze(0)

    found = damped_inverses(zero, other, torch.full((1, 1, 1), 0.1))

    assert torch.equal(found[0], torch.eye(3).unsqueeze(0))
    assert torch.equal(found[1], torch.eye(2).unsqueeze(0))

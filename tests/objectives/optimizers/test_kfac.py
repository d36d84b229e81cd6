"""K-FAC in lanes is K-FAC as the paper has it, with a damping, a momentum and an interval for each trial."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.data import Split, Splits
from objectives.data.digits import Digits
from objectives.losses import LOSS_BY_NAME, Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.mse import MSE
from objectives.models import Architecture, Layer, Model
from objectives.models.cnn import Cnn, Size
from objectives.models.layers.norms import Norm
from objectives.models.mlp import Mlp
from objectives.optimizers import Fisher
from objectives.optimizers.ema import Ema
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.optimizers.kfac import Kfac, damped_inverses
from objectives.schedules.constant import Constant
from objectives.supervised import Supervised
from objectives.training.lanes import Lanes
from objectives.training.networks.network import Computation, networks_for
from tests.measured import advanced
from tests.objectives.optimizers.plain_kfac import BATCH, CLASSES, SHAPE, Plain, Small
from tests.objectives.reference import DEVICES, curve_in_lane
from tuner.errors import ConfigError
from tuner.trial import TrialSpec

TYPICAL = {"learning_rate": 0.05, "damping": 0.1, "momentum": 0.9, "factor_decay": 0.8, "update_interval": 3.0}
SEVERAL = [
    TYPICAL,
    TYPICAL | {"momentum": 0.0, "update_interval": 1.0},
    TYPICAL | {"learning_rate": 0.2, "damping": 3.0, "update_interval": 7.0, "factor_decay": 0.0},
]


def data(examples: int = 40, *, outputs: bool = False) -> Splits:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(examples, math.prod(SHAPE), generator=generator)
    labels = torch.randint(CLASSES, (examples,), generator=generator)
    split = Split(inputs, torch.randn(examples, CLASSES, generator=generator) if outputs else labels)
    return Splits(split, split, split, classes=CLASSES, shape=SHAPE)


def lanes_of(
    model: Model | Architecture,
    trials: Sequence[Mapping[str, float]],
    *,
    fisher: Fisher = Fisher.SAMPLED,
    loss: Loss = CROSS_ENTROPY,
    device: str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Lanes:
    """Lanes, each with a trial whose seed is 10 more than its number."""
    on = torch.device(device)
    networks = networks_for(
        model,
        data(outputs=loss is MSE),
        Computation(dtype=dtype),
        lanes=len(trials),
        batch_size=BATCH,
        device=on,
        loss=loss,
        fisher=fisher,
    )
    made = Lanes(networks, optimizer=Kfac(fisher), schedule=Constant(), lanes=len(trials), device=on, dtype=dtype)
    for lane, each in enumerate(trials):
        row = made.first_row(networks.now.initialise(torch.Generator().manual_seed(lane)))
        made.write(lane, row, seed=10 + lane, step=0, hyperparameters=each)
    return made


def minibatches(steps: int, lanes: int, *, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """`[step, lane, example, feature]` and labels."""
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(steps, lanes, BATCH, math.prod(SHAPE), generator=generator, dtype=dtype)
    return inputs, torch.randint(CLASSES, (steps, lanes, BATCH), generator=generator)


@torch.no_grad()
def trained(made: Lanes, inputs: Tensor, labels: Tensor) -> Tensor:
    """The parameters after these steps."""
    made.train(inputs.to(made.parameters.device), labels.to(made.parameters.device))
    return made.parameters.cpu().clone()


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


def test_inverses_are_damped_by_the_traces() -> None:
    generator = torch.Generator().manual_seed(0)
    below, above = (torch.randn(2, side, 9, generator=generator).double() for side in (4, 3))
    below, above = 100 * below @ below.mT, above @ above.mT

    found = damped_inverses(below, above, torch.tensor([0.5, 2.0]).double().view(2, 1, 1))

    for lane, damping in enumerate((0.5, 2.0)):
        pi = math.sqrt((below[lane].trace() / 4) / (above[lane].trace() / 3))
        for inverse, factor, added in (
            (found[0], below, pi * math.sqrt(damping)),
            (found[1], above, math.sqrt(damping) / pi),
        ):
            expected = torch.linalg.inv(factor[lane] + added * torch.eye(factor.shape[1]).double())
            torch.testing.assert_close(inverse[lane], expected)


def test_factors_that_rounding_made_indefinite_have_inverses_all_the_same() -> None:
    eigenvalues = torch.tensor([[1e4, 1.0, 2.0], [1e4, -20.0, 2.0], [1e4, torch.nan, 2.0]])
    damping = torch.full((3, 1, 1), 0.01)

    first, _ = damped_inverses(eigenvalues.diag_embed(), torch.eye(2).expand(3, -1, -1), damping)

    added = 0.1 * eigenvalues.mean(1).sqrt()
    torch.testing.assert_close(first[0].diagonal(), 1 / (eigenvalues[0] + added[0]))
    torch.testing.assert_close(first[1].diagonal(), 1 / (eigenvalues[1].clamp_min(0) + added[1]))
    assert first[2].isnan().all()


def test_a_factor_of_rank_one_is_inverted_with_a_damping_far_below_its_rounding() -> None:
    vector = torch.linspace(1, 2, 40).unsqueeze(1)
    below = (1e6 * vector @ vector.T).unsqueeze(0)

    first, _ = damped_inverses(below, torch.eye(2).unsqueeze(0), torch.full((1, 1, 1), 1e-16))

    assert torch.linalg.cholesky_ex(below).info  # indefinite
    assert first.isfinite().all()
    eigenvalues = torch.linalg.eigvalsh(first[0].double())
    most = 1e8 / below[0].diagonal().mean().sqrt().item()  # of directions that no input has
    assert eigenvalues.max().item() == pytest.approx(most, rel=1e-3)
    assert eigenvalues.min() > -1e-6 * most


def test_a_layer_whose_factors_are_zero_moves_by_its_gradient() -> None:
    zero, other = torch.zeros(1, 3, 3), torch.eye(2).unsqueeze(0)

    found = damped_inverses(zero, other, torch.full((1, 1, 1), 0.1))

    assert torch.equal(found[0], torch.eye(3).unsqueeze(0))
    assert torch.equal(found[1], torch.eye(2).unsqueeze(0))


@pytest.mark.parametrize("model", [Mlp((5, 4)), Small()])
def test_a_checkpoint_goes_on_to_the_last_bit(model: Model | Architecture) -> None:
    made = Supervised(Digits(), model, Kfac())
    trial = TrialSpec(3, TYPICAL)
    straight = made.trainer(16, lanes=1, device="cpu")
    straight.load(0, trial)
    expected = curve_in_lane(straight, 0, steps=8)
    stopped = made.trainer(16, lanes=2, device="cpu")
    stopped.load(1, trial)
    curve_in_lane(stopped, 1, steps=4)

    goes_on = made.trainer(16, lanes=1, device="cpu")
    goes_on.load(0, trial, stopped.save(1))
    curve = curve_in_lane(goes_on, 0, steps=8)

    assert curve == [each for each in expected if each.step > 4]
    assert goes_on.save(0) == straight.save(0)


def test_a_perceptron_starts_where_it_does_with_other_optimizers() -> None:
    splits = Digits().load()
    written, module = (
        networks_for(
            Mlp((6,)), splits, Computation(), lanes=1, batch_size=4, device=torch.device("cpu"), fisher=fisher
        ).now
        for fisher in (None, Fisher.SAMPLED)
    )
    rows = [each.initialise(generator) for each in (written, module) if (generator := torch.Generator().manual_seed(4))]

    weights = [each.named_weights(row) for each, row in zip((written, module), rows, strict=True)]  # type: ignore[attr-defined]

    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    inputs = splits.train.inputs[:9]
    torch.testing.assert_close(
        *(each.logits(row.unsqueeze(0), inputs) for each, row in zip((written, module), rows, strict=True))
    )


@dataclass(frozen=True)
class Scale:
    """A model with neither a linear layer nor a convolution."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.LayerNorm(math.prod(shape)), nn.AdaptiveAvgPool1d(classes))


@dataclass(frozen=True)
class WrittenOut:
    """A model that is no torch module."""

    network: Callable[..., object] = Mlp((3,)).network


def error_by_distance(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - functional.one_hot(targets, outputs.shape[1])).abs().mean()


def loss_named(name: str) -> Loss:
    found = LOSS_BY_NAME.read(name)
    assert isinstance(found, Loss)
    return found


OWN_LOSS = f"{__name__}:error_by_distance"


@pytest.mark.parametrize(
    ("model", "loss", "message"),
    [
        (Scale(), "cross_entropy", "Scale has neither a linear layer nor a convolution that is trained, whose factors"),
        (WrittenOut(), "cross_entropy", r"WrittenOut computes its own gradients, .* give it a method as_module"),
        (Small(), OWN_LOSS, 'what labels the model predicts is not known for the loss .*; set fisher = "empirical"'),
    ],
)
def test_what_has_no_factors_is_refused_before_training(model: Model | Architecture, loss: str, message: str) -> None:
    made = Supervised(Digits(), model, Kfac(), loss=loss_named(loss))

    for refusing in (made.check, lambda: made.trainer(8, lanes=1, device="cpu")):
        with pytest.raises(ConfigError, match=message) as caught:
            refusing()
        assert [each.path for each in caught.value.problems] == ["objective.optimizer"]


class Pair(nn.Linear):
    """A layer that returns what nobody can differentiate: its outputs in a tuple."""

    def forward(self, inputs: Tensor) -> tuple[Tensor]:  # type: ignore[override]
        return (super().forward(inputs),)


class Calling(nn.Module):
    """Calls a layer by keywords, or one that returns a tuple."""

    def __init__(self, inputs: int, outputs: int, *, wrong: bool) -> None:
        super().__init__()
        self.layer = Pair(inputs, outputs) if wrong else nn.Linear(inputs, outputs)

    def forward(self, images: Tensor) -> Tensor:
        if isinstance(self.layer, Pair):
            return self.layer(images.flatten(1))[0]  # type: ignore[no-any-return]
        return self.layer(input=images.flatten(1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Called:
    """A model that trains with any other optimizer."""

    wrong: bool = False

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Calling(math.prod(shape), classes, wrong=self.wrong)


def test_a_model_whose_factors_cannot_be_found_is_told_before_training() -> None:
    Supervised(Digits(), Called(), Kfac()).check()
    Supervised(Digits(), Called(wrong=True), HeavyBall()).check()

    with pytest.raises(ConfigError, match="Called: a step of training that finds its layers' factors raised") as caught:
        Supervised(Digits(), Called(wrong=True), Kfac()).check()
    assert [each.path for each in caught.value.problems] == ["model"]


def test_empirical_factors_need_no_likelihood() -> None:
    made = Supervised(Digits(), Small(), Kfac(Fisher.EMPIRICAL), loss=loss_named(OWN_LOSS))
    made.check()
    trainer = made.trainer(8, lanes=1, device="cpu")
    trainer.load(0, TrialSpec(7, TYPICAL))

    (measured, *_) = advanced(trainer)[0]

    assert math.isfinite(measured.metrics["validation/loss"])


def test_steps_are_not_recorded() -> None:
    """An interval for each lane is decided on the host, which a recorded step does not ask."""

    def recorder() -> object:
        raise AssertionError("recorded")

    networks = networks_for(
        Small(), data(), Computation(), lanes=1, batch_size=BATCH, device=torch.device("cpu"), fisher=Fisher.SAMPLED
    )

    def made(optimizer: Kfac | HeavyBall) -> Lanes:
        lanes = Lanes(
            networks,
            optimizer=optimizer,
            schedule=Constant(),
            lanes=1,
            device=torch.device("cpu"),
            dtype=torch.float32,
            recorder=recorder,  # type: ignore[arg-type]
        )
        row = lanes.first_row(networks.now.initialise(torch.Generator().manual_seed(0)))
        lanes.write(0, row, seed=0, step=0, hyperparameters=TYPICAL)
        return lanes

    inputs, labels = minibatches(2, 1, dtype=torch.float32)
    trained(made(Kfac()), inputs, labels)
    with pytest.raises(AssertionError, match="recorded"):
        trained(made(HeavyBall()), inputs, labels)


def test_averages_of_its_parameters_are_measured_as_those_of_another_optimizer() -> None:
    made = Supervised(Digits(), Small(), Ema(Kfac()))
    trainer = made.trainer(16, lanes=1, device="cpu")
    trainer.load(0, TrialSpec(3, TYPICAL | {"averaging": 0.0}))

    curve = curve_in_lane(trainer, 0, steps=4)

    plain = Supervised(Digits(), Small(), Kfac()).trainer(16, lanes=1, device="cpu")
    plain.load(0, TrialSpec(3, TYPICAL))
    assert curve == curve_in_lane(plain, 0, steps=4)


def test_hyperparameters_that_make_no_sense_are_refused() -> None:
    made = Supervised(Digits(), Small(), Kfac())
    bounds = {"damping": (0.0, 1.0), "update_interval": (0.0, 10.0), "factor_decay": (0.9, 1.0)}

    with pytest.raises(ConfigError) as caught:
        made.check_bounds(bounds, batch_size=8, max_steps=100)

    assert sorted(map(str, caught.value.problems)) == [
        "space.damping: may be 0; it must be above 0",
        "space.factor_decay: may be 1; it must be at least 0 and below 1",
        "space.update_interval: may be 0; it must be at least 1",
    ]

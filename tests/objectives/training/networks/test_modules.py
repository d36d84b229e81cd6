"""Any torch module trains in lanes as it would alone."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.classification import Classification
from objectives.data.digits import Digits
from objectives.models.cnn import Cnn, Size
from objectives.models.layers.dense import Dense
from objectives.models.layers.ghosts import GhostBatchNorm
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.devices.arithmetic import Precision
from objectives.training.networks.modules import ModuleNetwork
from tests.objectives.reference import DEVICES, EASY, curve_in_lane, losses_and_gradient
from tuner.objective import Trainer
from tuner.trial import TrialSpec

CPU = torch.device("cpu")
TRIAL = TrialSpec(11, EASY)
STEPS = 12


@dataclass(frozen=True)
class Perceptron:
    """A model as a user would write it."""

    hidden: int = 16

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(shape), self.hidden), nn.Tanh(), nn.Linear(self.hidden, classes)
        )


def trainer(
    model: Perceptron | Cnn = Cnn(Size.NARROW),  # noqa: B008 - a frozen value
    *,
    lanes: int = 1,
    precision: Precision = Precision.FLOAT32,
    compile: bool = False,
    microbatch: int | None = None,
    device: str = "cpu",
) -> Trainer:
    made = Classification(Digits(), model, HeavyBall(), LinearDecay(), precision, compile, microbatch)
    return made.trainer(16, lanes=lanes, device=device)


def network(module: nn.Module, *shape: int) -> ModuleNetwork:
    return ModuleNetwork(lambda: module, shape, device=CPU, dtype=torch.float64)


def test_gradients_equal_those_of_autograd() -> None:
    module = Cnn(Size.NARROW, dropout=0.0).module((2, 8, 8), 5)
    made = network(module, 2, 8, 8)
    row = made.initialise(torch.Generator().manual_seed(0)).double()
    inputs, labels = torch.randn(6, 128, dtype=torch.float64), torch.arange(6) % 5

    losses, gradient = losses_and_gradient(made, row.unsqueeze(0), inputs.unsqueeze(0), labels.unsqueeze(0))

    alone = Cnn(Size.NARROW, dropout=0.0).module((2, 8, 8), 5).double()
    with torch.no_grad():
        for own, leaf in zip(alone.parameters(), made._leaves(row), strict=True):
            own.copy_(leaf)
    loss = functional.cross_entropy(alone(inputs.view(6, 2, 8, 8)), labels)
    torch.autograd.backward(loss)
    assert losses.item() == pytest.approx(loss.item(), rel=1e-12)
    for own, leaf in zip(alone.parameters(), made._leaves(gradient[0]), strict=True):
        torch.testing.assert_close(leaf, own.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
def test_a_trial_with_dropout_is_the_same_in_any_lane_beside_any_neighbours(device: str) -> None:
    alone, among = trainer(device=device), trainer(lanes=4, device=device)
    alone.load(0, TRIAL)
    for lane, trial in enumerate([TrialSpec(1, EASY), TrialSpec(2, EASY)]):
        among.load(lane, trial)
        among.advance()
    among.load(2, TRIAL)

    assert curve_in_lane(among, 2, steps=STEPS) == curve_in_lane(alone, 0, steps=STEPS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_trains_a_module_as_the_processor_does() -> None:
    there, here = (trainer(Perceptron(), lanes=2, device=device) for device in ("cuda", "cpu"))
    for each in (there, here):
        each.load(1, TRIAL)

    ours, theirs = (curve_in_lane(each, 1, steps=STEPS)[-1].metrics for each in (there, here))

    assert ours == pytest.approx(theirs, rel=1e-3)


def test_dropout_follows_the_noise_and_ends_with_training() -> None:
    made = network(nn.Sequential(nn.Linear(20, 3), nn.Dropout(0.5)), 20)
    row = made.initialise(torch.Generator().manual_seed(0)).double().unsqueeze(0)
    inputs, labels = torch.ones(1, 4, 20, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.int64)

    def loss(seed: int) -> float:
        made.seed(seed)
        return losses_and_gradient(made, row, inputs, labels)[0].item()

    losses = [loss(seed) for seed in (1, 1, 2)]

    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(made.logits(row, inputs[0]), made.logits(row, inputs[0]))


def test_trials_with_other_seeds_start_from_other_parameters() -> None:
    made = ModuleNetwork(lambda: nn.Linear(3, 2), (3,), device=CPU, dtype=torch.float64)

    rows = [made.initialise(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]

    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


def test_starting_a_trial_leaves_torchs_own_generator_alone() -> None:
    made = ModuleNetwork(lambda: nn.Linear(3, 2), (3,), device=CPU, dtype=torch.float64)
    before = torch.get_rng_state()

    made.initialise(torch.Generator().manual_seed(0))

    assert torch.equal(torch.get_rng_state(), before)


def test_parameters_that_are_not_used_have_gradient_zero() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.used(inputs)
            return outputs

    made = network(Half(), 3)
    row = torch.ones(1, made.parameters, dtype=torch.float64)

    _, gradient = losses_and_gradient(made, row, torch.ones(1, 4, 3).double(), torch.zeros(1, 4).long())

    written = torch.ones_like(gradient)
    made.write_gradient(row, torch.ones(1, 4, 3).double(), torch.zeros(1, 4).long(), written)
    for found in (gradient, written):
        assert [bool(each.any()) for each in made._leaves(found[0])] == [True, True, False, False]


def test_weights_of_several_layers_have_the_sum_of_their_gradients() -> None:
    class Shared(nn.Module):
        """Weights that two layers have, and that a product takes as well."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Dense(3, 3), Dense(3, 3)
            self.second.weight = self.first.weight

        def forward(self, inputs: Tensor) -> Tensor:
            within = self.second(self.first(self.first(inputs)).tanh()).tanh()
            return functional.linear(within, self.first.weight)

    made = network(Shared(), 3)
    row = made.initialise(torch.Generator().manual_seed(0)).double().unsqueeze(0)
    inputs, labels = torch.randn(1, 4, 3).double(), torch.tensor([[0, 1, 2, 0]])
    twin = Shared().double()
    twin.load_state_dict(dict(made.named_weights(row[0])))
    loss = functional.cross_entropy(twin(inputs[0]), labels[0])
    expected = torch.autograd.grad(loss, twin.first.weight)[0]

    _, added = losses_and_gradient(made, row, inputs, labels)
    written = added * math.nan
    made.write_gradient(row, inputs, labels, written)

    for found in (added, written):
        torch.testing.assert_close(next(made._leaves(found[0])), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, momentum=None)), "BatchNorm1d without momentum counts minib"),
        (nn.Flatten(), "Flatten has no parameters to train"),
        (
            nn.Sequential(nn.Linear(3, 2), GhostBatchNorm(2, 4), GhostBatchNorm(2, 4), GhostBatchNorm(2, 8)),
            "Sequential has ghost batches of 4 and of 8 examples; give all one size",
        ),
    ],
)
def test_what_lanes_cannot_train_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(module, 3)


@pytest.mark.parametrize("precision", [Precision.TF32, Precision.BF16])
def test_a_lower_precision_is_near_the_higher(precision: Precision) -> None:
    lower, higher = trainer(Perceptron(), precision=precision), trainer(Perceptron())
    for each in (lower, higher):
        each.load(0, TRIAL)

    ours, theirs = (curve_in_lane(each, 0, steps=5)[-1].metrics["validation/loss"] for each in (lower, higher))

    assert ours == pytest.approx(theirs, rel=0.01)
    assert (ours == theirs) == (precision is Precision.TF32)


def test_lanes_do_not_mix_in_a_lower_precision() -> None:
    alone, among = (trainer(Perceptron(), lanes=lanes, precision=Precision.BF16) for lanes in (1, 2))
    alone.load(0, TRIAL)
    among.load(0, TrialSpec(1, EASY))
    among.load(1, TRIAL)

    assert curve_in_lane(among, 1, steps=STEPS) == curve_in_lane(alone, 0, steps=STEPS)


@pytest.mark.slow
def test_a_compiled_module_trains_the_same_up_to_rounding() -> None:
    compiled, plain = trainer(Perceptron(), compile=True), trainer(Perceptron())
    for each in (compiled, plain):
        each.load(0, TRIAL)

    ours, theirs = (curve_in_lane(each, 0, steps=STEPS)[-1].metrics for each in (compiled, plain))

    assert ours == pytest.approx(theirs, rel=1e-3)


def test_minibatches_in_parts_train_the_same_up_to_rounding() -> None:
    parts, whole = trainer(Perceptron(), lanes=2, microbatch=5), trainer(Perceptron(), lanes=2)
    for each in (parts, whole):
        each.load(1, TRIAL)

    ours, theirs = (curve_in_lane(each, 1, steps=STEPS)[-1].metrics for each in (parts, whole))

    assert ours == pytest.approx(theirs, rel=1e-4)

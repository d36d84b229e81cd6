"""Trials with any loss and metrics are those of an ordinary loop, and are measured on all examples."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from objectives.classification import Classification
from objectives.data import Splits
from objectives.data.digits import Digits
from objectives.data.entry.splits import splits_of
from objectives.losses import LOSS_BY_NAME, Loss
from objectives.losses.bce import BCE
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.mse import MSE
from objectives.models import Network
from objectives.models.mlp import Mlp, MlpNetwork
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.supervised import Supervised
from objectives.training.criteria import Criteria
from objectives.training.networks.network import Computation, networks_for
from tests.measured import advanced
from tests.objectives.reference import EASY, shuffled
from tests.objectives.users import Data, Model, absolute
from tuner.errors import ConfigError, ContractError
from tuner.objective import MeasuringPlan, Target
from tuner.trial import TrialSpec

CPU = torch.device("cpu")
USERS = "tests.objectives.users"
POINT = {**EASY, "end_factor": 1.0}


@dataclass(frozen=True)
class Line:
    """A linear model, as a torch module."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Linear(math.prod(shape), classes)


def loss_of(name: str) -> Loss:
    found = LOSS_BY_NAME.read(name)
    assert isinstance(found, Loss)
    return found


def splits(case: str, loss: Loss) -> Splits:
    return splits_of(Data(case), loss.targets, whole_numbers=True)


@pytest.mark.parametrize("kind", [Supervised, Classification])
def test_errors_are_measured_no_longer_than_needed_unless_other_metrics_are_asked_for(kind: type[Supervised]) -> None:
    plain = kind(Digits(), Mlp(), HeavyBall(), LinearDecay())
    more = kind(Digits(), Mlp(), HeavyBall(), LinearDecay(), measured=("error", "macro_f1"))

    assert plain.certain_early == {"validation/loss", "validation/error", "validation/accuracy"}
    assert plain.metrics == {"train/loss", "test/error", "test/accuracy"} | plain.certain_early
    assert more.certain_early == frozenset()
    assert more.metrics == {
        "train/loss",
        "validation/loss",
        "validation/error",
        "validation/macro_f1",
        "test/error",
        "test/macro_f1",
    }


@pytest.mark.parametrize(
    ("loss", "metrics"),
    [
        ("mse", {"loss", "mean_absolute_error"}),
        ("bce", {"loss", "error", "accuracy"}),
        (f"{USERS}:absolute", {"loss"}),
    ],
)
def test_a_loss_brings_its_metrics(loss: str, metrics: set[str]) -> None:
    made = Supervised(Data("shares"), Mlp(), HeavyBall(), LinearDecay(), loss=loss_of(loss))

    assert made.metrics == {"train/loss"} | {f"{split}/{each}" for each in metrics for split in ("validation", "test")}


def curve(made: Supervised, *, lanes: int, lane: int, steps: int) -> list[dict[str, float]]:
    """What a trial measures beside others."""
    trainer = made.trainer(8, lanes=lanes, device="cpu")
    for each in range(lanes):
        trainer.load(each, TrialSpec(7 if each == lane else 100 + each, POINT))
    found: list[dict[str, float]] = []
    while len(found) < steps:
        found += [dict(each.metrics) for each in advanced(trainer)[lane]]
    return found


@pytest.mark.parametrize("model", [Mlp(()), Line()], ids=["perceptron", "module"])
@pytest.mark.parametrize(("case", "name"), [("numbers", "mse"), ("shares", "bce"), ("numbers", f"{USERS}:absolute")])
def test_lanes_train_as_an_ordinary_loop_does(model: Mlp | Line, case: str, name: str) -> None:
    loss = loss_of(name)
    made = Supervised(Data(case), model, HeavyBall(), LinearDecay(), loss=loss, measured=("loss", f"{USERS}:worst"))
    data, generator = splits(case, loss), torch.Generator().manual_seed(7)
    network = networks_for(model, data, Computation(), lanes=1, batch_size=8, device=CPU, loss=loss).now
    weights, bias = line(network, generator)
    optimizer = torch.optim.SGD([weights, bias], lr=EASY["learning_rate"], momentum=EASY["momentum"])
    expected = []
    for rows, _ in zip(shuffled(len(data.train), 8, generator), range(30), strict=False):
        optimizer.zero_grad()
        torch.autograd.backward(loss.function(data.train.inputs[rows] @ weights.T + bias, data.train.labels[rows]))
        optimizer.step()
        outputs = [(each.inputs @ weights.T + bias).detach() for each in (data.validation, data.test)]
        expected.append(
            {
                "validation/loss": loss.function(outputs[0], data.validation.labels).item(),
                "validation/worst": (outputs[0] - data.validation.labels).abs().max().item(),
                "test/loss": loss.function(outputs[1], data.test.labels).item(),
                "test/worst": (outputs[1] - data.test.labels).abs().max().item(),
            }
        )

    found = curve(made, lanes=3, lane=1, steps=30)

    for ours, theirs in zip(found, expected, strict=False):
        assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-4)
    assert found[-1]["validation/loss"] < 0.8 * found[0]["validation/loss"]


def line(network: Network, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The weights `[1, 4]` and the bias `[1]` that a linear network draws."""
    row = network.initialise(generator)
    numbers = row[row != 0].clone()
    assert len(numbers) == 5
    return numbers[:4].view(1, 4).requires_grad_(), numbers[4:].requires_grad_()


@pytest.mark.parametrize("model", [Mlp((8,)), Line()], ids=["perceptron", "module"])
def test_a_lane_does_not_depend_on_its_neighbours(model: Mlp | Line) -> None:
    made = Supervised(Data("numbers"), model, HeavyBall(), LinearDecay(), loss=MSE)
    trainer = made.trainer(8, lanes=3, device="cpu")
    trainer.load(0, TrialSpec(7, POINT))
    trainer.load(1, TrialSpec(3, {**POINT, "learning_rate": 1e9}))
    trainer.load(2, TrialSpec(4, POINT))
    beside = [dict(advanced(trainer)[0][0].metrics) for _ in range(20)]

    assert curve(made, lanes=3, lane=0, steps=20) == beside


@pytest.mark.parametrize("microbatch", [1, 3, 8])
@pytest.mark.parametrize("loss", [MSE, BCE, Loss("absolute", absolute, MSE.targets, ())], ids=lambda each: each.name)
def test_a_perceptrons_gradient_is_that_of_autograd(loss: Loss, microbatch: int) -> None:
    data = splits("shares", loss)
    double = Computation(dtype=torch.float64, microbatch=microbatch)
    inputs, labels = data.train.inputs[:16].double(), data.train.labels[:16].double()
    network = networks_for(Mlp((5,)), data, double, lanes=2, batch_size=8, device=CPU, loss=loss).now
    rows = torch.stack([network.initialise(torch.Generator().manual_seed(lane)) for lane in range(2)]).double()
    sums = torch.ones_like(rows)
    with torch.inference_mode():
        losses = network.add_gradient(rows, inputs.view(2, 8, 4), labels.view(2, 8, 1), sums, 0.5)
    leaf = rows.clone().requires_grad_()
    outputs = network.logits(leaf, inputs.view(2, 8, 4))
    each = torch.stack([loss.function(*lane) for lane in zip(outputs, labels.view(2, 8, 1), strict=True)])
    (expected,) = torch.autograd.grad(each.sum(), leaf)

    torch.testing.assert_close(losses, each.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sums, 1 + 0.5 * expected, rtol=1e-12, atol=1e-12)


def test_errors_that_are_measured_with_other_metrics_are_the_same_numbers() -> None:
    plain = Supervised(Digits(), Mlp((16,)), HeavyBall(), LinearDecay())
    more = Supervised(
        Digits(), Mlp((16,)), HeavyBall(), LinearDecay(), measured=("error", "accuracy", "top5_error", "macro_f1")
    )

    curves = curve(plain, lanes=2, lane=0, steps=40), curve(more, lanes=2, lane=0, steps=40)

    for one, other in zip(*curves, strict=True):
        for name in ("train/loss", "validation/loss"):
            assert other[name] == pytest.approx(one[name], rel=1e-6)
        for name in ("validation/error", "test/error"):
            assert other[name] == one[name]
        assert other["validation/accuracy"] == 1 - one["validation/error"]


def test_whole_measurements_leave_out_only_tests_that_are_not_wanted() -> None:
    plan = MeasuringPlan("validation/mean_absolute_error", (Target(1e-3),), test_steps=())
    made = Supervised(Data("numbers"), Mlp((16,)), HeavyBall(), LinearDecay(), loss=MSE)
    trainer = made.planned_trainer(8, lanes=1, device="cpu", plan=plan)
    trainer.load(0, TrialSpec(7, POINT))

    (measured,) = advanced(trainer)[0]

    assert measured.partial == {}
    assert measured.metrics.keys() == {"train/loss", "validation/loss", "validation/mean_absolute_error"}
    end = trainer.measure_end(0, 1)
    assert end.keys() == {"test/loss", "test/mean_absolute_error"}


def test_a_hand_written_model_that_minimises_cross_entropy_alone_says_so() -> None:
    class Own(MlpNetwork):
        minimise = None  # type: ignore[assignment]

    class Fixed:
        def network(
            self,
            shape: tuple[int, ...],
            classes: int,
            *,
            lanes: int,
            batch_size: int,
            device: torch.device,
            dtype: torch.dtype,
        ) -> Network:
            return Own((*shape, classes), lanes=lanes, batch_size=batch_size, device=device, dtype=dtype)

    made = networks_for(Fixed(), splits("numbers", MSE), Computation(), lanes=1, batch_size=8, device=CPU, loss=MSE)

    with pytest.raises(ConfigError, match="Own computes the gradient of cross entropy alone, not of mse; give it a"):
        _ = made.now


def test_a_metric_that_is_no_number_ends_the_study() -> None:
    made = Supervised(Data("classes"), Mlp((16,)), HeavyBall(), LinearDecay(), measured=("error", f"{USERS}:recalls"))
    trainer = made.trainer(8, lanes=1, device="cpu")
    trainer.load(0, TrialSpec(7, POINT))

    with pytest.raises(ContractError, match=r"recalls is \[1.0, 0.5, 0.25\]; a metric is one number for a whole split"):
        advanced(trainer)


def test_words_are_trained_as_whole_numbers() -> None:
    made = Supervised(Data("words"), Model("embedding"), HeavyBall(), LinearDecay(), measured=("error", "macro_f1"))

    early = Supervised(Data("words"), Model("embedding"), HeavyBall(), LinearDecay())
    assert splits("words", CROSS_ENTROPY).train.inputs.dtype == torch.int64
    for each in (made, early):
        losses = [measured["train/loss"] for measured in curve(each, lanes=2, lane=1, steps=60)]
        assert losses[-1] < 0.8 * losses[0]


def test_criteria_are_those_of_the_whole_unless_only_errors_count() -> None:
    assert Criteria().ends_early
    assert not Criteria(MSE, ()).ends_early

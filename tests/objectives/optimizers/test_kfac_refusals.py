"""What K-FAC cannot train is refused before training, in a line that says why."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from torch import Tensor, nn
from torch.nn import functional

from objectives.data.digits import Digits
from objectives.losses import LOSS_BY_NAME, Loss
from objectives.models import Architecture, Model
from objectives.models.mlp import Mlp
from objectives.optimizers import Fisher
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.optimizers.kfac import Kfac
from objectives.supervised import Supervised
from tests.measured import advanced
from tests.objectives.optimizers.kfac_lanes import TYPICAL
from tests.objectives.optimizers.plain_kfac import Small
from tuner.errors import ConfigError
from tuner.trial import TrialSpec


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

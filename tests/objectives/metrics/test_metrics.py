"""Metrics are those of scikit-learn; an output that is not finite predicts nothing."""

import math

import pytest
import torch
from sklearn import metrics as theirs  # type: ignore[import-untyped]
from torch import Tensor

from objectives.losses.bce import BCE
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.mse import MSE
from objectives.losses.next_token import NEXT_TOKEN
from objectives.metrics import Metric, metrics_named
from tests.objectives.users import worst
from tuner.errors import ConfigError
from tuner.experiment.components import available

GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = torch.randn(200, 8, generator=GENERATOR)
CLASSES = torch.randint(6, (200,), generator=GENERATOR)  # two of the eight do not occur
NUMBERS = torch.randn(200, 8, generator=GENERATOR)


def measured(name: str, outputs: Tensor, targets: Tensor) -> float:
    loss = next(each for each in (CROSS_ENTROPY, MSE, BCE) if _takes(name, each, targets))
    (metric,) = metrics_named([name], loss)
    return float(metric.function(outputs, targets))


def _takes(name: str, loss: object, targets: Tensor) -> bool:
    if not targets.is_floating_point():
        return loss is CROSS_ENTROPY
    return loss is (MSE if name == "mean_absolute_error" else BCE)


def test_classes_are_judged_as_scikit_learn_does() -> None:
    found = OUTPUTS.argmax(1)

    assert measured("accuracy", OUTPUTS, CLASSES) == pytest.approx(theirs.accuracy_score(CLASSES, found))
    assert measured("error", OUTPUTS, CLASSES) == pytest.approx(1 - theirs.accuracy_score(CLASSES, found))
    assert measured("macro_f1", OUTPUTS, CLASSES) == pytest.approx(theirs.f1_score(CLASSES, found, average="macro"))
    hits = theirs.top_k_accuracy_score(CLASSES, OUTPUTS, k=5, labels=range(8))
    assert measured("top5_error", OUTPUTS, CLASSES) == pytest.approx(1 - hits)


@pytest.mark.parametrize("name", ["accuracy", "error", "top5_error"])
def test_tokens_are_judged_as_that_many_classes(name: str) -> None:
    (metric,) = metrics_named([name], NEXT_TOKEN)

    found = metric.function(OUTPUTS.view(20, 10, 8), CLASSES.view(20, 10))

    assert found == measured(name, OUTPUTS, CLASSES)


def test_a_metric_for_classes_is_not_one_for_tokens() -> None:
    with pytest.raises(ConfigError, match="macro_f1 is for classes as targets, and next_token has tokens"):
        metrics_named(["macro_f1"], NEXT_TOKEN)


def test_numbers_are_judged_as_scikit_learn_does() -> None:
    assert measured("mean_absolute_error", OUTPUTS, NUMBERS) == pytest.approx(
        theirs.mean_absolute_error(NUMBERS, OUTPUTS)
    )
    shares = (NUMBERS > 0).float()
    assert measured("error", OUTPUTS, shares) == pytest.approx(theirs.hamming_loss(shares, OUTPUTS > 0))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_an_output_that_is_not_finite_is_wrong(wrong: float) -> None:
    """A network that has diverged must not meet a target by chance."""
    outputs = torch.full((4, 8), wrong)
    zeros = torch.zeros(4, dtype=torch.int64)

    assert measured("error", outputs, zeros) == 1
    assert measured("top5_error", outputs, zeros) == 1
    assert measured("macro_f1", outputs, zeros) == 0
    for share in (0.0, 1.0):
        assert measured("error", outputs, torch.full((4, 8), share)) == 1


def test_equal_outputs_predict_nothing() -> None:
    outputs, zeros = torch.zeros(4, 8), torch.zeros(4, dtype=torch.int64)

    assert measured("accuracy", outputs, zeros) == 0
    assert measured("macro_f1", outputs, zeros) == 0
    assert measured("error", outputs, torch.zeros(4, 8)) == 1


def test_a_metric_is_named_as_its_file() -> None:
    for name in available("objectives.metrics"):
        loss = MSE if name == "mean_absolute_error" else CROSS_ENTROPY

        assert [each.name for each in metrics_named([name], loss)] == [name]


def test_a_function_of_the_users_is_named_as_it_is() -> None:
    (found,) = metrics_named(["tests.objectives.users:worst"], MSE)

    assert isinstance(found, Metric)
    assert (found.name, found.function) == ("worst", worst)

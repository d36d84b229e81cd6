"""A trainer that looks closely trains and measures as the one within it, and the same after an interruption."""

import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from objectives.diagnostics import diagnosis
from objectives.losses.next_token import NEXT_TOKEN
from objectives.models import Architecture, Model
from objectives.models.fully_connected import FullyConnected
from objectives.models.layers.norms import Norm
from objectives.models.mlp import Mlp, MlpNetwork
from objectives.models.transformer import Transformer
from objectives.optimizers import Optimizer
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.optimizers.kfac import Kfac
from objectives.supervised import Supervised
from tuner.objective import GivesWeights, MeasuringPlan, Trainer, measure_end
from tuner.objective.diagnostics import Diagnosable, Diagnostic, eigenvalue
from tuner.trial import Measurement, TrialSpec

PLAN = MeasuringPlan()
ROW, RATES = 7, {"learning_rate": 0.05, "momentum": 0.9, "damping": 0.1}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few examples, draws and products: what is measured is tested elsewhere."""
    for name, few in (("EXAMPLES", 64), ("DRAWS", 2), ("PRODUCTS", 6)):
        monkeypatch.setattr(diagnosis, name, few)


@dataclass(frozen=True)
class Noise:
    """Labels that are found in noise."""

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        inputs = np.random.default_rng(0).normal(size=(400, 6))
        return inputs.astype(np.float32), inputs[:, :3].argmax(1)


@dataclass(frozen=True)
class Letters:
    """Each token is followed by the next one."""

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        tokens = np.arange(720).reshape(90, 8) % 5
        return tokens, (tokens + 1) % 5


@dataclass(frozen=True)
class OwnGradients:
    """A perceptron that is not known as a torch module."""

    def network(self, *given: object, **named: object) -> MlpNetwork:
        return Mlp((4,)).network(*given, **named)  # type: ignore[arg-type]


def workload(model: Model | Architecture, optimizer: Optimizer | None = None) -> Supervised:
    return Supervised(Noise(), model, optimizer or HeavyBall())


def trial(objective: Supervised, seed: int = ROW) -> TrialSpec:
    return TrialSpec(seed, {name: RATES[name] for name in objective.hyperparameters - objective.optional})


def trained(trainer: Trainer, steps: int, lane: int = 0) -> list[Measurement]:
    """What a lane measured on the way to a step."""
    found: list[Measurement] = []
    while not found or found[-1].step < steps:
        found += [each for each in trainer.advance()[lane] if isinstance(each, Measurement)]
    return found


def looked_at(curve: Sequence[Measurement]) -> dict[int, Mapping[str, float]]:
    """The measurements with more than the distance."""
    return {each.step: each.metrics for each in curve if Diagnostic.LOSS in each.metrics}


WORKLOADS = {
    "perceptron": workload(Mlp((5,))),
    "batch norm and dropout": workload(FullyConnected((5,), norm=Norm.BATCH, dropout=0.2)),
    "K-FAC": workload(Mlp((5,)), Kfac()),
    "attention": Supervised(Letters(), Transformer(width=8, layers=1, heads=2), HeavyBall(), loss=NEXT_TOKEN),
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_everything_is_measured_at_a_few_steps_and_at_the_end(name: str) -> None:
    objective = WORKLOADS[name]
    assert isinstance(objective, Diagnosable)

    with closing(objective.diagnosing_trainer(8, lanes=1, device="cpu", plan=PLAN)) as trainer:
        trainer.load(0, trial(objective))
        curve = trained(trainer, 5)
        end = measure_end(trainer, 0, 5)

    assert looked_at(curve).keys() == {4}
    may_have_no_end = {Diagnostic.NOISE_SCALE, Diagnostic.NOISE_SCALE_HIGH}
    for found in (curve[3].metrics, {**curve[4].metrics, **end}):
        assert objective.diagnostics - found.keys() <= may_have_no_end
        assert found.keys() <= objective.diagnostics | objective.metrics
        assert all(type(each) is str for each in found)


def test_it_trains_and_measures_as_the_trainer_within() -> None:
    objective, curves = WORKLOADS["perceptron"], []
    for make in (objective.planned_trainer, objective.diagnosing_trainer):
        with closing(make(8, lanes=2, device="cpu", plan=PLAN)) as trainer:
            for lane in (0, 1):
                trainer.load(lane, trial(objective, lane))
            curves.append(trained(trainer, 17))

    own = [{name: each for name, each in found.metrics.items() if name in objective.metrics} for found in curves[1]]
    assert own == [each.metrics for each in curves[0]]


def test_a_trial_that_goes_on_from_a_checkpoint_measures_the_same() -> None:
    objective = WORKLOADS["batch norm and dropout"]
    with closing(objective.diagnosing_trainer(8, lanes=1, device="cpu", plan=PLAN)) as trainer:
        trainer.load(0, trial(objective))
        trained(trainer, 10)
        checkpoint = trainer.save(0)
        whole = trained(trainer, 16)
    with closing(objective.diagnosing_trainer(8, lanes=1, device="cpu", plan=PLAN)) as trainer:
        trainer.load(0, trial(objective), checkpoint)
        rest = trained(trainer, 16)

    assert looked_at(rest).keys() == {16}
    assert rest == whole


def test_the_distance_is_from_where_the_trial_started_and_without_running_averages() -> None:
    objective = workload(FullyConnected((5,), norm=Norm.BATCH))
    with closing(objective.diagnosing_trainer(8, lanes=1, device="cpu", plan=PLAN)) as trainer:
        trainer.load(0, trial(objective))
        first = trained(trainer, 1)[0]
        still = TrialSpec(ROW, {**trial(objective).hyperparameters, "learning_rate": 0.0})
        trainer.unload(0)
        trainer.load(0, still)
        assert trained(trainer, 3)[-1].metrics[Diagnostic.DISTANCE] == 0
    with closing(objective.planned_trainer(8, lanes=2, device="cpu", plan=PLAN)) as plain:
        assert isinstance(plain, GivesWeights)
        plain.load(0, still)
        plain.load(1, trial(objective))
        plain.advance()
        start, moved = (torch.load(io.BytesIO(plain.weights(lane, 1))) for lane in (0, 1))

    names = [name for name in start if "running" not in name and "batches" not in name]
    expected = sum(float((moved[name] - start[name]).square().sum()) for name in names) ** 0.5
    assert first.metrics[Diagnostic.DISTANCE] == pytest.approx(expected, rel=1e-5)


def test_a_network_at_infinity_is_not_looked_at() -> None:
    objective = workload(Mlp((5,)))
    with closing(objective.diagnosing_trainer(8, lanes=1, device="cpu", plan=PLAN)) as trainer:
        trainer.load(0, TrialSpec(ROW, {"learning_rate": 1e30, "momentum": 0.9}))
        curve = trained(trainer, 4)

    assert looked_at(curve) == {}
    assert eigenvalue(1) not in curve[-1].metrics


def test_a_model_that_is_no_module_cannot_be_looked_at() -> None:
    assert workload(OwnGradients()).diagnostics == frozenset()

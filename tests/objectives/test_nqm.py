"""The noisy quadratic model as a workload agrees with its analysis."""

import math
import tomllib
from collections.abc import Mapping

import numpy as np
import pytest

from objectives.nqm import Noise, QuadraticWorkload, Spectrum
from objectives.training.measuring.grid import next_measurement
from tests.measured import advanced
from tuner.analysis.nqm import Box, Method, Rule, expected_loss, optimal, power_law, steps_to_target
from tuner.errors import ConfigError
from tuner.experiment import load, preset_text, presets
from tuner.experiment.components import build
from tuner.experiment.files import check
from tuner.experiment.space import Range
from tuner.objective import Objective, Trainer
from tuner.trial import Measurement, TrialSpec

PRESETS = sorted(name for name in presets() if name.startswith("nqm-"))
HEAVY_BALL = QuadraticWorkload(Method.HEAVY_BALL)


def train(trainer: Trainer, chunks: int) -> Mapping[int, list[Measurement]]:
    """What every loaded lane measures."""
    found: dict[int, list[Measurement]] = {}
    for _ in range(chunks):
        for lane, measured in advanced(trainer).items():
            found.setdefault(lane, []).extend(measured)
    return found


def losses(measured: list[Measurement]) -> list[float]:
    return [each.metrics["validation/loss"] for each in measured]


def settings(method: Method, rate: float, coefficient: float) -> dict[str, float]:
    name = method.coefficient
    return {"learning_rate": rate} if name is None else {"learning_rate": rate, name: coefficient}


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("spectrum", Spectrum)
def test_every_lane_measures_the_expected_loss(method: Method, power: float, spectrum: Spectrum) -> None:
    workload = QuadraticWorkload(method, power, spectrum, dimension=300)
    trainer = workload.trainer(64, lanes=3, device="auto")
    points = [(0.01, 0.0), (0.3, 0.9), (1.5, 0.99)]
    for lane, (rate, coefficient) in enumerate(points):
        trainer.load(lane, TrialSpec(lane, settings(method, rate, coefficient)))

    measured = train(trainer, 8)

    for lane, (rate, coefficient) in enumerate(points):
        steps = [each.step for each in measured[lane]]
        exact = expected_loss(
            workload.model, workload.rule, steps=steps, batch_size=64, learning_rate=rate,
            coefficient=0.0 if method is Method.SGD else coefficient,
        )  # fmt: skip
        assert steps[-1] > 1000
        np.testing.assert_allclose(losses(measured[lane]), exact, rtol=1e-9)


def test_a_lane_is_measured_along_the_grid() -> None:
    trainer = HEAVY_BALL.trainer(4, lanes=1, device="cpu")
    trainer.load(0, TrialSpec(0, {"learning_rate": 0.1, "momentum": 0.5}))

    steps = [each.step for each in train(trainer, 8)[0]]

    assert steps[0] == 1
    assert steps[1:] == [next_measurement(step) for step in steps[:-1]]


def test_the_training_loss_is_that_before_the_step() -> None:
    trainer = HEAVY_BALL.trainer(4, lanes=1, device="cpu")
    trainer.load(0, TrialSpec(0, {"learning_rate": 0.1, "momentum": 0.5}))

    first, second, *_ = advanced(trainer)[0]

    assert first.metrics["train/loss"] == pytest.approx(HEAVY_BALL.model.initial_loss, rel=1e-12)
    assert second.metrics["train/loss"] == pytest.approx(first.metrics["validation/loss"], rel=1e-12)


def test_measured_steps_to_target_exceed_the_exact_ones_by_the_grid_at_most() -> None:
    workload = QuadraticWorkload()
    trainer = workload.trainer(64, lanes=1, device="cpu")
    trainer.load(0, TrialSpec(0, {"learning_rate": 0.2154}))
    exact = steps_to_target(workload.model, batch_size=64, learning_rate=0.2154, target=0.01)

    measured = next(each.step for each in train(trainer, 12)[0] if each.metrics["validation/loss"] < 0.01)

    assert isinstance(exact, int)
    assert exact <= measured <= 1.03 * exact


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("noise", Noise)
@pytest.mark.parametrize("method", Method)
def test_a_diverging_lane_measures_ever_more_and_then_infinity(noise: Noise, method: Method) -> None:
    trainer = QuadraticWorkload(method, noise=noise, dimension=20).trainer(4, lanes=2, device="cpu")
    trainer.load(0, TrialSpec(0, settings(method, 10.0, 0.5)))
    trainer.load(1, TrialSpec(1, settings(method, 0.1, 0.5)))

    measured = train(trainer, 8)

    assert losses(measured[0])[5] > 1e3
    assert losses(measured[0])[-1] == math.inf
    assert losses(measured[1])[-1] < 1.0


@pytest.mark.parametrize("method", Method)
def test_sampled_noise_is_the_expected_loss_on_average(method: Method) -> None:
    workload = QuadraticWorkload(method, noise=Noise.SAMPLED, dimension=12)
    many = 200
    trainer = workload.trainer(8, lanes=many, device="cpu")
    for lane in range(many):
        trainer.load(lane, TrialSpec(lane, settings(method, 0.05, 0.9)))

    measured = train(trainer, 5)

    curves = np.array([losses(measured[lane]) for lane in range(many)])
    steps = [each.step for each in measured[0]]
    coefficient = 0.0 if method is Method.SGD else 0.9
    exact = expected_loss(
        workload.model, workload.rule, steps=steps, batch_size=8, learning_rate=0.05, coefficient=coefficient
    )
    deviations = (curves.mean(axis=0) - exact) / (curves.std(axis=0) / math.sqrt(many))
    assert np.abs(deviations).max() < 4
    assert (curves.std(axis=0) > 0).all()


@pytest.mark.parametrize("noise", Noise)
def test_a_trial_is_the_same_in_any_lane_beside_any_neighbour(noise: Noise) -> None:
    workload = QuadraticWorkload(Method.HEAVY_BALL, noise=noise, dimension=50)
    trial = TrialSpec(7, {"learning_rate": 0.3, "momentum": 0.9})
    alone, beside = (workload.trainer(16, lanes=lanes, device="cpu") for lanes in (1, 3))
    alone.load(0, trial)
    beside.load(1, TrialSpec(1, {"learning_rate": 1.0, "momentum": 0.0}))
    beside.advance()
    beside.load(2, trial)

    found = train(alone, 2)[0], train(beside, 2)[2]

    shared = min(map(len, found))
    assert [each.step for each in found[0]][:shared] == [each.step for each in found[1]][:shared]
    np.testing.assert_allclose(losses(found[0])[:shared], losses(found[1])[:shared], rtol=1e-12)


def test_a_lane_is_free_after_unloading() -> None:
    trainer = HEAVY_BALL.trainer(4, lanes=1, device="cpu")
    trial = TrialSpec(0, {"learning_rate": 0.1, "momentum": 0.5})
    trainer.load(0, trial)
    with pytest.raises(ValueError, match="lane 0 holds a trial; unload it first"):
        trainer.load(0, trial)

    trainer.unload(0)

    assert advanced(trainer) == {}
    trainer.load(0, trial)
    trainer.close()
    assert advanced(trainer) == {}


def test_a_workload_names_what_it_needs() -> None:
    needed = {method: QuadraticWorkload(method).hyperparameters for method in Method}

    assert isinstance(HEAVY_BALL, Objective)
    assert needed == {
        "sgd": {"learning_rate"},
        "heavy_ball": {"learning_rate", "momentum"},
        "average": {"learning_rate", "averaging"},
    }


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("power", 1.5, r"power = 1.5 must lie in \[0, 1\]"),
        ("dimension", 0, "dimension = 0 must be at least 1"),
        ("method", "adam", "method: should be 'sgd', 'heavy_ball' or 'average', not 'adam'"),
        ("noise", "loud", "noise: should be 'expected' or 'sampled', not 'loud'"),
        ("start", -1.0, "start holds -1"),
    ],
)
def test_a_workload_that_makes_no_sense_is_refused(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("objectives", {"kind": "nqm", key: value}, Objective)


def test_there_is_a_preset_for_every_rule() -> None:
    assert PRESETS == ["nqm-adam", "nqm-ema", "nqm-kfac", "nqm-momentum", "nqm-sgd"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_budgets_are_four_times_the_exact_optimum(name: str) -> None:
    experiment = load(name)
    workload = experiment.build_objective()
    assert isinstance(workload, QuadraticWorkload)
    ranges = dict(experiment.space.ranges())
    rates = ranges.pop("learning_rate")
    memories = next(iter(ranges.values()), Range(0.0, 0.5))
    box = Box((rates.low, rates.high), (memories.low, memories.high))

    for batch_size in (4, 4096, 2**20):
        found = optimal(
            workload.model, workload.rule, batch_size=batch_size, target=experiment.goal.target.value, box=box
        )

        # The optimiser of another SciPy may end a step or two away.
        assert experiment.goal.at(batch_size).within_steps == pytest.approx(4 * int(found.steps), rel=0.01)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_authors_model_at_every_fourth_power(name: str) -> None:
    experiment = load(name)
    workload = experiment.build_objective()

    assert isinstance(workload, QuadraticWorkload)
    assert workload.model.initial_loss == power_law().initial_loss
    assert workload.rule in (Rule(), Rule(Method.HEAVY_BALL), Rule(Method.AVERAGE), Rule(power=0.5), Rule(power=0.75))
    assert experiment.batch_sizes == tuple(4**k for k in range(1, 11))
    assert experiment.goal.below == 0.01


def test_there_are_no_epochs() -> None:
    table = tomllib.loads(preset_text("nqm-sgd"))
    table["goal"] = {"metric": "validation/loss", "best": "lowest", "within_epochs": 1e-6}

    with pytest.raises(ConfigError, match=r"goal.within_epochs: means nothing to nqm, whose training set has no end"):
        check(table, source="nqm.toml")

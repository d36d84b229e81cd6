"""What holds for every optimizer: a lane is the trial alone, by an independent program, whatever its neighbours do."""

import io
from dataclasses import replace
from functools import cache

import pytest
import torch

from objectives.data.digits import Digits
from objectives.optimizers import defaults_of
from objectives.optimizers.ema import Ema
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.supervised import Supervised
from objectives.training.trainer import LaneTrainer
from tests.measured import advanced
from tests.objectives.optimizers.cases import CASES, TRIALS, Case
from tests.objectives.optimizers.training import (
    MODELS,
    Weights,
    alone,
    distance,
    lanes_of,
    load,
    named,
    networks,
    train,
    trained,
)
from tests.objectives.recorders import EagerRecorder
from tests.objectives.reference import DEVICES
from tuner.experiment.components import available
from tuner.trial import Measurement, TrialSpec, Value

STEPS = 100
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5}
ON_A_GPU = {torch.float64: 1e-10, torch.float32: 1e-3}
DISTURBANCE = 1e-12
"""Where training is unstable it amplifies rounding: there a lane may be as far off as a start that is off by this."""
DTYPES = [torch.float64, torch.float32]

every_case = pytest.mark.parametrize("name", list(CASES))
every_model = pytest.mark.parametrize("model", list(MODELS))


@cache
def expected(name: str, model: str, trial: int, dtype: torch.dtype) -> Weights:
    return alone(CASES[name], model, trial, steps=STEPS, dtype=dtype)


def trainer(case: Case, model: str, *, lanes: int) -> LaneTrainer:
    workload = Supervised(Digits(), MODELS[model][0], case.optimizer, LinearDecay())
    return LaneTrainer(
        workload.splits,
        workload.model,
        optimizer=workload.optimizer,
        schedule=workload.schedule,
        batch_size=16,
        lanes=lanes,
        device="cpu",
    )


def curve(made: LaneTrainer, lane: int, *, measurements: int) -> list[Measurement]:
    """What a lane measures next."""
    found: list[Measurement] = []
    while len(found) < measurements:
        found += advanced(made).get(lane, ())
    return found


def measured_by(case: Case, hyperparameters: dict[str, Value]) -> list[Measurement]:
    made = trainer(case, "perceptron", lanes=1)
    made.load(0, TrialSpec(3, hyperparameters))
    return curve(made, 0, measurements=8)


def test_every_optimizer_is_tested() -> None:
    kinds = {type(case.optimizer).__module__.rpartition(".")[2] for case in CASES.values()}

    assert kinds | {"kfac"} == set(available("objectives.optimizers"))  # which needs factors; see `test_kfac`


@every_case
def test_trials_differ_in_every_hyperparameter(name: str) -> None:
    points = [CASES[name].point(trial) for trial in range(TRIALS)]

    assert all(len({point[each] for point in points}) == TRIALS for each in points[0])


@pytest.mark.parametrize("device", DEVICES)
@every_model
@every_case
def test_a_lane_equals_the_reference_after_a_hundred_steps(name: str, model: str, device: str) -> None:
    on = torch.device(device)

    weights = trained(CASES[name], model, lanes=TRIALS, trials=range(TRIALS), steps=STEPS, device=on)
    (in_one_lane,) = trained(CASES[name], model, lanes=1, trials=[1], steps=STEPS, device=on)

    allowed = (TOLERANCE if device == "cpu" else ON_A_GPU)[torch.float64]
    for trial, ours in enumerate(weights):
        assert distance(ours, expected(name, model, trial, torch.float64)) < allowed, trial
    assert distance(in_one_lane, expected(name, model, 1, torch.float64)) < allowed


@pytest.mark.parametrize("device", DEVICES)
@every_model
@every_case
def test_a_lane_equals_the_reference_in_single_precision(name: str, model: str, device: str) -> None:
    on = torch.device(device)

    *_, last = trained(CASES[name], model, lanes=2, trials=[1, 2], steps=STEPS, device=on, dtype=torch.float32)

    allowed = (TOLERANCE if device == "cpu" else ON_A_GPU)[torch.float32]
    assert distance(last, expected(name, model, 2, torch.float32)) < allowed


@pytest.mark.parametrize("name", sorted(set(CASES) - {"lars, no decay"}))
def test_a_trial_that_is_hardly_stable_is_no_further_off_than_its_start(name: str) -> None:
    """LARS is left out: it divides by a gradient's norm, which rounding alone makes where all examples are certain."""
    boosted = replace(CASES[name], learning_rates=tuple(30 * each for each in CASES[name].learning_rates))

    weights = trained(boosted, "perceptron", lanes=2, trials=[1, 2], steps=STEPS)

    for trial, ours in zip((1, 2), weights, strict=True):
        theirs = alone(boosted, "perceptron", trial, steps=STEPS)
        if (found := distance(ours, theirs)) > 1e-10:
            disturbed = alone(boosted, "perceptron", trial, steps=STEPS, disturbance=DISTURBANCE)

            assert found <= distance(disturbed, theirs), trial


@pytest.mark.parametrize("dtype", DTYPES)
@every_case
def test_a_learning_rate_of_zero_leaves_a_lane_where_it_is(name: str, dtype: torch.dtype) -> None:
    case, of_these = CASES[name], networks("perceptron", lanes=2, dtype=dtype)
    made = lanes_of(case.optimizer, of_these, lanes=2, dtype=dtype)
    for lane in (0, 1):
        load(made, lane, lane, case.point(lane) | {"learning_rate": 0.0 if lane else 0.1})
    before = made.parameters.clone()

    train(made, [0, 1], steps=10)

    assert made.parameters.dtype == dtype
    assert {each.dtype for each in made._state} <= {dtype}
    assert torch.equal(made.parameters[1], before[1])
    assert torch.equal(made.measured[1], before[1])
    assert not torch.equal(made.parameters[0], before[0])


@every_case
def test_a_vacant_lane_stays_finite_beside_a_trial(name: str) -> None:
    case = CASES[name]
    made = lanes_of(case.optimizer, networks("perceptron", lanes=3), lanes=3)
    for lane in (0, 1):
        load(made, lane, lane, case.point(lane) | {"learning_rate": 1e6})
    train(made, [0, 1, 2], steps=5)
    made.clear(1)

    train(made, [0, 1, 2], steps=STEPS)

    for each in (made.parameters, made.measured, *made._state):
        assert each[1:].isfinite().all()


@every_model
@every_case
def test_neighbours_that_diverge_change_no_bit(name: str, model: str) -> None:
    case, found = CASES[name], []
    for bad in (False, True):
        made = lanes_of(case.optimizer, networks(model, lanes=3), lanes=3)
        for lane in range(3):
            load(made, lane, lane, case.point(lane))
            if bad and lane != 1:
                made.parameters[lane] = torch.inf if lane else torch.nan
        train(made, [0, 1, 2], steps=20)
        found.append(made.read(1))
        assert bool(made.parameters[0].isfinite().all()) is not bad

    assert torch.equal(found[0].parameters, found[1].parameters)
    assert all(torch.equal(*pair) for pair in zip(found[0].state, found[1].state, strict=True))


@every_model
@every_case
def test_a_trial_goes_on_from_a_checkpoint_with_the_same_bits(name: str, model: str) -> None:
    case = CASES[name]
    trials = [TrialSpec(seed, case.point(seed)) for seed in (1, 2)]
    first, second = trainer(case, model, lanes=2), trainer(case, model, lanes=1)
    for lane, trial in enumerate(trials):
        first.load(lane, trial)
    curve(first, 1, measurements=6)
    second.load(0, trials[1], first.save(1))

    ours, theirs = curve(first, 1, measurements=6), curve(second, 0, measurements=6)

    assert [each.metrics for each in ours[:6]] == [each.metrics for each in theirs[:6]]


@every_model
@every_case
def test_recorded_steps_change_no_bit(name: str, model: str) -> None:
    plain, recorded = (
        trained(CASES[name], model, lanes=3, trials=range(3), steps=20, recorder=recorder)
        for recorder in (None, EagerRecorder)
    )

    for ours, theirs in zip(recorded, plain, strict=True):
        assert all(torch.equal(ours[each], theirs[each]) for each in theirs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_model
@every_case
def test_a_gpu_repeats_recorded_steps_to_the_last_bit(name: str, model: str) -> None:
    first, second = (
        trained(CASES[name], model, lanes=3, trials=range(3), steps=20, device=torch.device("cuda")) for _ in range(2)
    )

    for ours, theirs in zip(first, second, strict=True):
        assert all(torch.equal(ours[each], theirs[each]) for each in theirs)


@every_case
def test_hyperparameters_with_defaults_may_be_left_out_of_a_trial(name: str) -> None:
    case = CASES[name]
    required, defaults = case.required(1), defaults_of(case.optimizer)

    left_out, given = (measured_by(case, {**required, **more}) for more in ({}, defaults))

    assert defaults["weight_decay"] == 0.0
    assert [each.metrics for each in left_out] == [each.metrics for each in given]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("heavy_ball, coupled", 0.3),
        ("adamw", 0.3),
        ("lion", 0.3),
        ("lamb", 0.3),
        ("ema of adamw", 0.3),
        ("lars", 0.3),
    ],
)
def test_a_weight_decay_that_a_trial_names_counts(name: str, value: float) -> None:
    case = CASES[name]
    required = case.required(1)

    assert measured_by(case, required)[-1] != measured_by(case, required | {"weight_decay": value})[-1]


def test_averages_are_measured_and_saved_instead_of_the_parameters() -> None:
    case = replace(CASES["ema"], optimizer=Ema(HeavyBall()))
    raw = CASES["heavy_ball"]
    point = case.required(1) | {"momentum": 0.9}
    plain = {name: value for name, value in point.items() if name != "averaging"}
    still = measured_by(case, point | {"averaging": 1.0})

    assert measured_by(case, point | {"averaging": 0.0}) == measured_by(raw, plain)
    assert len({each.metrics["validation/loss"] for each in still}) == 1
    assert len({each.metrics["train/loss"] for each in still}) > 1


def test_the_weights_that_a_trainer_gives_are_averages() -> None:
    made = trainer(CASES["ema"], "perceptron", lanes=1)
    made.load(0, TrialSpec(3, CASES["ema"].point(2)))
    (last, *_) = reversed(advanced(made)[0])

    saved = torch.load(io.BytesIO(made.weights(0, last.step)))

    average = made._lanes.measured[0]
    assert not torch.equal(average, made._lanes.parameters[0])
    assert all(torch.equal(saved[name], each) for name, each in named(made._networks, average).items())


def test_parameters_move_and_running_averages_do_not_decay() -> None:
    case = CASES["sgd, decoupled"]
    made = lanes_of(case.optimizer, networks("batch norm", lanes=1), lanes=1)
    load(made, 0, 0, case.point(0) | {"learning_rate": 1e-9, "weight_decay": 1e8, "end_factor": 1.0})
    before = named(made._networks, made.parameters[0])
    train(made, [0], steps=1)
    after = named(made._networks, made.parameters[0])

    torch.testing.assert_close(after["4.weight"], 0.9 * before["4.weight"], rtol=1e-6, atol=1e-9)
    assert after["1.running_var"].min() > 0.9 * before["1.running_var"].min()

"""Trials with regularisation are those of an ordinary loop, in any lane, and cost and change nothing without."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.data import Splits
from objectives.data.digits import Digits
from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.mse import MSE
from objectives.models.mlp import Mlp
from objectives.models.regularisation import REGULARISERS, Smoothing
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.supervised import Supervised
from objectives.training.devices.recording import Recorder
from objectives.training.draws import Purpose, normals, step_seeds
from objectives.training.networks.network import Computation
from objectives.training.trainer import LaneTrainer
from tests.objectives.recorders import EagerRecorder
from tests.objectives.reference import DEVICES, EASY, curve_in_lane, shuffled
from tests.objectives.users import Data
from tuner.errors import ConfigError
from tuner.trial import Measurement, TrialSpec

BATCH, STEPS = 16, 20
SMOOTH, NOISY, CLIPPED, DROPPED = "label_smoothing", "gradient_noise", "max_gradient_norm", "dropout"
POINT = EASY | {"learning_rate": 0.1}


@dataclass(frozen=True)
class Dropping:
    """A module that draws nothing but one layer of dropout."""

    rate: float = 0.5

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Dropout(self.rate), nn.Linear(8, classes))


PERCEPTRON, MODULE = Mlp((8,)), Dropping(0.0)


def trainer(
    model: Mlp | Dropping,
    *,
    lanes: int,
    smoothing: Smoothing = Smoothing.PAPER,
    microbatch: int | None = None,
    device: str = "cpu",
    recorder: Callable[[], Recorder] | None = None,
) -> LaneTrainer:
    objective = Supervised(Digits(), model, HeavyBall(), LinearDecay(), smoothing=smoothing)
    made = LaneTrainer(
        Digits().load(),
        model,
        optimizer=HeavyBall(),
        schedule=LinearDecay(),
        batch_size=BATCH,
        lanes=lanes,
        device=device,
        computation=Computation(dtype=torch.float64, microbatch=microbatch),
        criteria=objective._criteria,
    )
    if recorder is not None:
        made._lanes._recorder = recorder
    return made


def trial(lane: int, values: Mapping[str, Sequence[float]]) -> TrialSpec:
    """The trial of a lane, which has its own value of each regulariser."""
    return TrialSpec(lane, POINT | {name: each[lane] for name, each in values.items()})


def in_lanes(made: LaneTrainer, values: Mapping[str, Sequence[float]]) -> list[list[Measurement]]:
    """What the trial of every lane measures."""
    for lane in range(made.lanes):
        made.load(lane, trial(lane, values))
    curves: list[list[Measurement]] = [[] for _ in range(made.lanes)]
    while curves[0][-1:] == [] or curves[0][-1].step < STEPS:
        for lane, measured in made.advance().items():
            curves[lane] += [each for each in measured if isinstance(each, Measurement)]
    return [[each for each in curve if each.step <= STEPS] for curve in curves]


def alone(
    model: Mlp | Dropping, spec: TrialSpec, smoothing: Smoothing, *, splits: Splits
) -> tuple[list[Tensor], list[float]]:
    """The trial in an ordinary loop of torch: its parameters at the end, and the plain losses of all steps."""
    values = {name: float(each) for name, each in spec.hyperparameters.items()}
    generator = torch.Generator().manual_seed(spec.seed)
    own = parameters_of(model, generator)
    optimizer = torch.optim.SGD(own, lr=values["learning_rate"], momentum=values["momentum"])
    scheduler = torch.optim.lr_scheduler.LinearLR(
        optimizer, 1.0, values["end_factor"], total_iters=int(values["decay_steps"])
    )
    losses = []
    for step, rows in zip(range(STEPS), shuffled(len(splits.train), BATCH, generator), strict=False):
        seed = step_seeds(torch.tensor([spec.seed]), torch.tensor([[step]]))[0, 0]
        torch.manual_seed(int(seed))
        outputs = outputs_of(model, own, splits.train.inputs[rows].double(), values.get(DROPPED))
        labels = splits.train.labels[rows]
        noise = 1 + values.get(NOISY, 0.0) * normals(seed, BATCH, Purpose.GRADIENT_NOISE).double()
        strength = values.get(SMOOTH, 0.0)
        optimizer.zero_grad()
        torch.autograd.backward((noise * smoothed(outputs, labels, strength, smoothing)).mean())
        if CLIPPED in values:
            nn.utils.clip_grad_norm_(own, values[CLIPPED])
        optimizer.step()
        scheduler.step()
        losses.append(functional.cross_entropy(outputs, labels).item())
    return [each.detach() for each in own], losses


def smoothed(outputs: Tensor, labels: Tensor, strength: float, smoothing: Smoothing) -> Tensor:
    """The cross entropy of each example."""
    if smoothing is Smoothing.TORCH:
        return functional.cross_entropy(outputs, labels, reduction="none", label_smoothing=strength)
    targets = torch.full_like(outputs, strength / (outputs.shape[1] - 1)).scatter(1, labels.unsqueeze(1), 1 - strength)
    return functional.cross_entropy(outputs, targets, reduction="none")


def parameters_of(model: Mlp | Dropping, generator: torch.Generator) -> list[Tensor]:
    """The weights and biases `[out, in]` and `[out]` that a trial starts from."""
    made = trainer(model, lanes=1)._networks.now
    row = made.initialise(generator).double()
    return [each.requires_grad_() for each in named(made, row)]


def named(network: object, row: Tensor) -> list[Tensor]:
    return [each.clone() for each in network.named_weights(row).values()]  # type: ignore[attr-defined]


def outputs_of(model: Mlp | Dropping, own: Sequence[Tensor], inputs: Tensor, rate: float | None) -> Tensor:
    below = functional.linear(inputs, own[0], own[1])
    hidden = below.relu() if isinstance(model, Mlp) else below.tanh()
    if rate is not None:
        hidden = hidden * (torch.rand(hidden.shape) >= rate) / (1 - rate)
    return functional.linear(hidden, own[2], own[3])


CASES = {
    "smoothing": {SMOOTH: [0.1, 0.0, 0.3]},
    "noise": {NOISY: [0.5, 2.0, 0.0]},
    "clipping": {CLIPPED: [0.1, 0.3, 1e9]},
    "all": {SMOOTH: [0.1, 0.0, 0.3], NOISY: [0.5, 2.0, 0.0], CLIPPED: [0.1, 0.3, 1e9]},
}
WITH_DROPOUT = {"dropout": {DROPPED: [0.5, 0.0, 0.2]}, "all and dropout": CASES["all"] | {DROPPED: [0.5, 0.0, 0.2]}}
EVERY = [
    *[pytest.param(PERCEPTRON, values, id=f"perceptron-{name}") for name, values in CASES.items()],
    *[pytest.param(MODULE, values, id=f"module-{name}") for name, values in {**CASES, **WITH_DROPOUT}.items()],
]


AS_TORCH = [
    pytest.param(model, CASES[name], Smoothing.TORCH, id=f"{type(model).__name__}-{name}-torch")
    for model in (PERCEPTRON, MODULE)
    for name in ("smoothing", "all")
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("model", "values", "smoothing"),
    [*[pytest.param(*each.values, Smoothing.PAPER, id=each.id) for each in EVERY], *AS_TORCH],
)
def test_each_lane_is_an_ordinary_loop(
    model: Mlp | Dropping, values: Mapping[str, Sequence[float]], smoothing: Smoothing, device: str
) -> None:
    if device != "cpu" and DROPPED in values:
        pytest.skip("a GPU draws other numbers for dropout than the CPU of the ordinary loop")
    # Normally distributed numbers are rounded differently on a GPU, to float32.
    tolerance = 1e-7 if device == "cpu" else 1e-4
    made = trainer(model, lanes=3, smoothing=smoothing, device=device)

    curves = in_lanes(made, values)

    for lane, curve in enumerate(curves):
        expected, losses = alone(model, trial(lane, values), smoothing, splits=Digits().load())
        at_the_end = snapshot(made, lane, curve[-1].step)
        for ours, theirs in zip(named(made._networks.now, at_the_end), expected, strict=True):
            torch.testing.assert_close(ours.cpu(), theirs, rtol=tolerance, atol=tolerance)
        assert curve[-1].step == STEPS
        since = curve[-2].step
        plain = sum(losses[since:]) / (STEPS - since)
        assert curve[-1].metrics["train/loss"] == pytest.approx(plain, rel=tolerance)


def snapshot(made: LaneTrainer, lane: int, step: int) -> Tensor:
    return made._snapshots.parameters(lane, step)


@pytest.mark.parametrize(("model", "values"), EVERY)
def test_a_lane_does_not_depend_on_its_neighbours(model: Mlp | Dropping, values: Mapping[str, Sequence[float]]) -> None:
    among = in_lanes(trainer(model, lanes=3), values)[1]
    made = trainer(model, lanes=1)
    made.load(0, trial(1, values))

    beside_none = curve_in_lane(made, 0, steps=STEPS)

    assert [each.step for each in beside_none] == [each.step for each in among]
    for ours, theirs in zip(beside_none, among, strict=True):
        assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-9)


@pytest.mark.parametrize("values", [CASES["all"], CASES["noise"]], ids=["all", "noise"])
@pytest.mark.parametrize("model", [PERCEPTRON, MODULE], ids=["perceptron", "module"])
def test_minibatches_in_parts_are_the_same(model: Mlp | Dropping, values: Mapping[str, Sequence[float]]) -> None:
    whole, parts = (in_lanes(trainer(model, lanes=2, microbatch=each), values) for each in (None, 5))

    for ours, theirs in zip(parts, whole, strict=True):
        assert ours[-1].metrics == pytest.approx(theirs[-1].metrics, rel=1e-9)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("model", "values"), EVERY)
def test_a_trial_goes_on_and_is_repeated_to_the_last_bit(
    model: Mlp | Dropping, values: Mapping[str, Sequence[float]], device: str
) -> None:
    expected = in_lanes(trainer(model, lanes=2, device=device), values)
    first, second = (trainer(model, lanes=2, device=device) for _ in range(2))
    for lane in range(2):
        first.load(lane, trial(lane, values))
    found = [first.advance() for _ in range(3)]

    for lane in range(2):
        second.load(lane, trial(lane, values), first.save(lane))
    while found[-1][0][-1].step < STEPS:
        found.append(second.advance())

    for lane in range(2):
        assert [each for measured in found for each in measured[lane] if each.step <= STEPS] == expected[lane]


@pytest.mark.parametrize(("model", "values"), EVERY)
def test_recorded_steps_have_the_numbers_of_steps_that_are_not_recorded(
    model: Mlp | Dropping, values: Mapping[str, Sequence[float]]
) -> None:
    recorded = in_lanes(trainer(model, lanes=3, recorder=EagerRecorder), values)

    assert recorded == in_lanes(trainer(model, lanes=3), values)


def test_steps_are_recorded_anew_when_trials_name_others() -> None:
    recorder = EagerRecorder()
    made = trainer(MODULE, lanes=1, recorder=lambda: recorder)
    found = []
    for extra in ({}, {SMOOTH: 0.3}, {SMOOTH: 0.1}, {NOISY: 1.0}, {}):
        made.load(0, TrialSpec(3, POINT | extra))
        found.append(curve_in_lane(made, 0, steps=4)[-1].metrics)
        made.unload(0)

    assert recorder.recorded == [1] * 4
    assert found[4] == found[0]
    assert len({each["validation/loss"] for each in found}) == 4


@pytest.mark.parametrize("model", [PERCEPTRON, MODULE], ids=["perceptron", "module"])
def test_strengths_of_zero_are_no_regularisation_to_the_last_bit(model: Mlp | Dropping) -> None:
    nothing = {SMOOTH: [0.0], NOISY: [0.0]}

    assert in_lanes(trainer(model, lanes=1), nothing) == in_lanes(trainer(model, lanes=1), {})


def test_the_models_own_rate_of_dropout_counts_where_none_is_named() -> None:
    own, named_rate = trainer(Dropping(0.4), lanes=1), trainer(Dropping(0.4), lanes=1)

    losses = [in_lanes(own, {})[0][-1].metrics, in_lanes(named_rate, {DROPPED: [0.0]})[0][-1].metrics]

    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(in_lanes(trainer(MODULE, lanes=1), {})[0][-1].metrics, rel=1e-9)


def test_trials_beside_each_other_name_the_same() -> None:
    made = trainer(PERCEPTRON, lanes=2)
    made.load(0, TrialSpec(0, POINT | {SMOOTH: 0.1}))

    with pytest.raises(ValueError, match="a trial names gradient_noise, beside trials that name label_smoothing"):
        made.load(1, TrialSpec(1, POINT | {NOISY: 0.1}))
    with pytest.raises(ValueError, match="a trial names no regularisation, beside trials that name label_smoothing"):
        made.load(1, TrialSpec(1, POINT))
    made.load(1, TrialSpec(1, POINT | {SMOOTH: 0.2}))
    assert made.advance().keys() == {0, 1}


def workload(case: str = "classes", model: Mlp | Dropping = PERCEPTRON, loss: Loss = CROSS_ENTROPY) -> Supervised:
    return Supervised(Data(case), model, HeavyBall(), LinearDecay(), loss=loss)


def problems(made: Supervised, bounds: Mapping[str, tuple[float, float]]) -> list[str]:
    try:
        made.check_bounds(bounds, batch_size=8, max_steps=100)
    except ConfigError as error:
        return [str(each) for each in error.problems]
    return []


def test_regularisers_are_optional_hyperparameters_of_every_workload() -> None:
    assert workload().optional == REGULARISERS | {"weight_decay"}
    assert workload().hyperparameters >= REGULARISERS


@pytest.mark.parametrize(
    ("name", "bounds", "said"),
    [
        (SMOOTH, (0.0, 0.9), ""),
        (SMOOTH, (0.0, 1.0), "may be 1; it must be at least 0 and below 1"),
        (SMOOTH, (-0.1, 0.5), "may be -0.1; it must be at least 0 and below 1"),
        (NOISY, (0.0, 9.0), ""),
        (NOISY, (-1.0, 9.0), "may be -1; it must be at least 0"),
        (CLIPPED, (1e-9, 1e9), ""),
        (CLIPPED, (0.0, 1.0), "may be 0; it must be above 0"),
    ],
)
def test_their_values_are_checked_before_training(name: str, bounds: tuple[float, float], said: str) -> None:
    assert problems(workload(), {name: bounds}) == ([f"space.{name}: {said}"] if said else [])


@pytest.mark.parametrize("rate", [(0.0, 1.0), (-0.2, 0.5)])
def test_a_rate_of_dropout_is_checked_before_training(rate: tuple[float, float]) -> None:
    made = Supervised(Digits(), MODULE, HeavyBall(), LinearDecay())

    assert problems(made, {DROPPED: (0.0, 0.9)}) == []
    assert "it must be at least 0 and below 1" in problems(made, {DROPPED: rate})[0]


class Plain(Mlp):
    """A model whose network knows nothing of regularisation."""

    def network(self, *args: object, **settings: object) -> object:  # type: ignore[override]
        made = super().network(*args, **settings)  # type: ignore[arg-type]

        class Own:
            together, autograd, draws = 1, False, False
            lanes, parameters = made.lanes, made.parameters
            initialise, logits, seed = made.initialise, made.logits, made.seed

            def add_gradient(
                self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
            ) -> Tensor:
                return made.add_gradient(parameters, inputs, labels, sums, share)

        return Own()


@pytest.mark.parametrize(
    ("made", "name", "said"),
    [
        (workload(), DROPPED, "the model has no layer objectives.models.layers.dropout.Dropout, nor nn.Dropout; leave"),
        (workload("numbers", loss=MSE), SMOOTH, "is for models that minimise cross entropy, whose targets are classes"),
        (workload(model=Plain((8,))), SMOOTH, "the model computes its own gradients, and does not implement Regulari"),
        (workload(model=Plain((8,))), NOISY, "the model computes its own gradients, and does not implement Regulari"),
    ],
    ids=["perceptron", "mse", "own smoothing", "own noise"],
)
def test_what_cannot_be_applied_is_refused_before_training(made: Supervised, name: str, said: str) -> None:
    found = problems(made, {name: (0.1, 0.2)})

    assert len(found) == 1
    assert found[0].startswith(f"space.{name}: {said}")
    with pytest.raises(ConfigError, match=f"space.{name}"):
        made.trainer(8, lanes=1, device="cpu").load(0, TrialSpec(0, POINT | {name: 0.1}))


def test_any_networks_gradient_can_be_clipped() -> None:
    made = workload(model=Plain((8,)))
    assert problems(made, {CLIPPED: (0.1, 0.2)}) == []
    curves = []
    for model in (Plain((8,)), PERCEPTRON):
        one = workload(model=model).trainer(8, lanes=1, device="cpu")
        one.load(0, TrialSpec(0, POINT | {CLIPPED: 0.1}))
        curves.append(curve_in_lane(one, 0, steps=5))

    assert curves[0] == curves[1]


def test_a_schedule_that_cannot_end_is_refused_with_the_rest() -> None:
    found = problems(workload(), {"decay_steps": (101.0, 200.0), SMOOTH: (0.0, 2.0)})

    assert [each.partition(":")[0] for each in found] == ["space.decay_steps", "space.label_smoothing"]


class Owning(HeavyBall):
    """An optimizer that calls a hyperparameter of its own as a regulariser is called."""

    hyperparameters = frozenset({"learning_rate", "momentum", "weight_decay", CLIPPED})


def test_a_hyperparameter_of_the_optimizer_is_its_own() -> None:
    made = Supervised(Data("classes"), PERCEPTRON, Owning(), LinearDecay())
    owning, plain = made.trainer(8, lanes=1, device="cpu"), workload().trainer(8, lanes=1, device="cpu")
    owning.load(0, TrialSpec(0, POINT | {CLIPPED: 1e-9}))
    plain.load(0, TrialSpec(0, POINT))

    assert made.optional == (REGULARISERS - {CLIPPED}) | {"weight_decay"}
    assert curve_in_lane(owning, 0, steps=5) == curve_in_lane(plain, 0, steps=5)


def test_a_trial_is_not_clipped_by_what_a_diverged_one_left() -> None:
    calm = TrialSpec(1, POINT | {CLIPPED: 1.0})
    after, alone = (trainer(PERCEPTRON, lanes=1) for _ in range(2))
    after.load(0, TrialSpec(0, POINT | {CLIPPED: 1.0, "learning_rate": 1e200}))
    assert not all(math.isfinite(each.metrics["train/loss"]) for each in curve_in_lane(after, 0, steps=8))
    after.unload(0)

    for each in (after, alone):
        each.load(0, calm)

    assert curve_in_lane(after, 0, steps=STEPS) == curve_in_lane(alone, 0, steps=STEPS)

"""What every model keeps, whatever it computes: in lanes it is the network that an ordinary loop would train."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from objectives.models import Architecture, Model, NamedWeights, Network, vgg11
from objectives.models.regularisation import add_gradient, write_gradient
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.supervised import Supervised
from objectives.training.devices.arithmetic import deterministic_kernels
from objectives.training.devices.recording import GpuRecorder, Recorder
from objectives.training.networks.network import Computation, Networks, networks_for
from tests.objectives.models.cases import BATCH, CASES, CLASSES, Case, WithoutDropout, glorot, torchs
from tests.objectives.recorders import EagerRecorder
from tests.objectives.reference import DEVICES, EASY, curve_in_lane, heavy_ball_lanes, losses_and_gradient, start
from tuner.experiment.components import available
from tuner.trial import TrialSpec

CPU = torch.device("cpu")
LANES, STEPS, RATE, MOMENTUM = 2, 3, 0.02, 0.9

NARROW = ((4,), (8,), (16, 16), (32, 32), (32, 32))
"""VGG-11 with so many filters is trained in a second instead of a minute."""

every_model = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg11, "STAGES", NARROW)


def networks(
    case: Case,
    model: Model | Architecture | None = None,
    *,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float64,
    microbatch: int | None = None,
) -> Networks:
    computation = Computation(dtype=dtype, microbatch=microbatch)
    return networks_for(
        model or case.model, case.load(), computation, lanes=LANES, batch_size=BATCH, device=device, loss=case.loss
    )


def rows_of(network: Network, *, lanes: int = LANES) -> Tensor:
    """Initial parameters of so many trials, `[lane, parameter]`."""
    return torch.stack([network.initialise(torch.Generator().manual_seed(seed)) for seed in range(lanes)]).double()


def minibatches(case: Case, *, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Inputs and labels of some steps, `[step, lane, example, ...]`."""
    generator = torch.Generator().manual_seed(1)
    inputs = case.inputs(STEPS, LANES, BATCH, generator=generator)
    labels = case.labels(STEPS, LANES, BATCH, generator=generator)
    return inputs.to(dtype) if inputs.is_floating_point() else inputs, labels


def named(network: Network, row: Tensor) -> dict[str, Tensor]:
    """All numbers of a trial by their names."""
    assert isinstance(network, NamedWeights)
    return {name: each for name, each in network.named_weights(row).items() if each.is_floating_point()}


def test_every_shipped_model_is_tested_here() -> None:
    assert {each.kind for each in CASES} == set(available("objectives.models"))


@every_model
def test_it_has_an_output_for_each_class(case: Case) -> None:
    network = networks(case).now

    outputs = network.logits(rows_of(network), minibatches(case)[0][0, 0])

    assert outputs.shape == (LANES, *case.labels(BATCH).shape, CLASSES)
    assert outputs.isfinite().all()
    assert not torch.equal(outputs[0], outputs[1])


@every_model
def test_its_initial_parameters_follow_the_seed(case: Case) -> None:
    network = networks(case).now

    first, again, other = (network.initialise(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_model
def test_its_initial_parameters_are_distributed_as_it_says(case: Case) -> None:
    network = networks(case).now
    tensors = named(network, rows_of(network)[0])

    for name, weights in tensors.items():
        if weights.ndim > 1:
            is_dense = weights.ndim == 2
            deviation = case.dense if is_dense else case.convolutions
            assert_deviation(weights, deviation(weights))
            if deviation in (glorot, torchs):  # which are uniform
                assert weights.abs().max() <= 1.0001 * math.sqrt(3) * deviation(weights)
            biases = tensors.get(name.removesuffix("weight") + "bias", torch.zeros(1))
            if case.are_dense_zero if is_dense else case.are_convolutions_zero:
                assert not biases.any()
            else:
                assert_deviation(biases, torchs_bound(weights) / math.sqrt(3))
                assert biases.abs().max() <= torchs_bound(weights)
        elif name.endswith(("weight", "running_var")):
            assert (weights == 1).all()
        elif name.endswith("running_mean"):
            assert not weights.any()


def torchs_bound(weights: Tensor) -> float:
    return 1 / math.sqrt(weights[0].numel())


def assert_deviation(numbers: Tensor, expected: float) -> None:
    """Five standard errors, at most those of a normal distribution, around a mean of zero."""
    many = numbers.numel()
    assert abs(numbers.mean().item()) < 5 * expected / math.sqrt(many)
    assert numbers.square().mean().sqrt().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * many))


@every_model
def test_its_lanes_are_ordinary_loops_each_with_its_own_averages_and_random_numbers(case: Case) -> None:
    network = networks(case).now
    rows, (inputs, labels) = rows_of(network), minibatches(case)
    alone = [looped(case, named(network, row), inputs[:, lane], labels[:, lane], lane) for lane, row in enumerate(rows)]
    velocity = torch.zeros_like(rows)

    for step in range(STEPS):
        velocity *= MOMENTUM
        velocity += gradients(network, rows, inputs[step], labels[step], step)
        rows -= RATE * velocity
        network.logits(rows, inputs[step, 0])  # which must change nothing

    for row, expected in zip(rows, alone, strict=True):
        found = named(network, row)
        torch.testing.assert_close(found, {name: expected[name] for name in found}, rtol=1e-8, atol=1e-10)


def gradients(network: Network, rows: Tensor, inputs: Tensor, labels: Tensor, step: int) -> Tensor:
    """Of every lane, by as many calls as the network needs."""
    found = []
    for lane in range(0, LANES, network.lanes):
        lanes = slice(lane, lane + network.lanes)
        if network.draws:
            network.seed(noise(step, lane))
        found.append(losses_and_gradient(network, rows[lanes], inputs[lanes], labels[lanes])[1])
    return torch.cat(found)


def noise(step: int, lane: int) -> int:
    return 100 * step + lane


def looped(case: Case, start: dict[str, Tensor], inputs: Tensor, labels: Tensor, lane: int) -> dict[str, Tensor]:
    """What an ordinary loop makes of the same start."""
    module = case.reference().double()
    module.load_state_dict(start, strict=False)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=MOMENTUM)
    for step in range(STEPS):
        torch.manual_seed(noise(step, lane))
        loss = case.loss.function(module(inputs[step].view(BATCH, *case.shape)), labels[step])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return dict(module.state_dict())


@every_model
def test_measuring_changes_nothing_and_draws_nothing(case: Case) -> None:
    network = networks(case).now
    rows, inputs = rows_of(network), minibatches(case)[0][0, 0]
    before, drawn = rows.clone(), torch.get_rng_state()

    first, second = network.logits(rows, inputs), network.logits(rows, inputs)
    alone = network.logits(rows, inputs[:1])

    assert torch.equal(first, second)
    torch.testing.assert_close(alone, first[:, :1], rtol=1e-8, atol=1e-10)
    assert torch.equal(rows, before)
    assert torch.equal(torch.get_rng_state(), drawn)


@every_model
def test_microbatches_have_the_gradient_of_the_minibatch_where_they_are_allowed(case: Case) -> None:
    whole_only = networks(case).now.together is None
    if whole_only:
        return
    model = WithoutDropout(case.model) if isinstance(case.model, Architecture) else case.model
    whole, parts = (networks(case, model, microbatch=each).now for each in (None, BATCH // 2))
    rows, (inputs, labels) = rows_of(whole), minibatches(case)

    expected, found = (gradients(each, rows.clone(), inputs[0], labels[0], 0) for each in (whole, parts))

    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gradient_that_is_written_is_the_one_that_is_added_to_zeros(case: Case, dtype: torch.dtype) -> None:
    network = networks(case, dtype=dtype).now
    rows = rows_of(network, lanes=network.lanes).to(dtype)
    inputs, labels = (each[:, : network.lanes] for each in minibatches(case, dtype=dtype))

    def found(take: Callable[..., Tensor], given: Tensor, sums: Tensor, step: int) -> Tensor:
        torch.manual_seed(0)  # of dropout
        with torch.no_grad():
            losses = take(network, given.clone(), inputs[step], labels[step], sums)
        return torch.cat([losses.unsqueeze(1), sums], 1)

    added = found(add_gradient, rows, torch.zeros_like(rows), 1)
    sums = torch.zeros_like(rows)
    assert not found(write_gradient, rows * math.nan, sums, 0).isfinite().all()

    written = found(write_gradient, rows, sums, 1)

    assert torch.equal(written, added)


@pytest.mark.parametrize("device", DEVICES)
@every_model
def test_a_trial_goes_on_from_a_checkpoint_to_the_last_bit(case: Case, device: str) -> None:
    first, second = (
        Supervised(case, case.model, HeavyBall(), LinearDecay(), loss=case.loss).trainer(
            BATCH, lanes=LANES, device=device
        )
        for _ in range(2)
    )
    trial = TrialSpec(11, EASY)
    first.load(0, trial)
    first.advance()

    second.load(1, trial, first.save(0))

    assert curve_in_lane(second, 1, steps=4) == curve_in_lane(first, 0, steps=4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_model
def test_recorded_steps_have_the_numbers_of_steps_that_are_not_recorded(case: Case) -> None:
    recorded, eager = (trained_on_the_gpu(case, recorder) for recorder in (GpuRecorder, EagerRecorder))

    assert torch.equal(recorded, eager)


def trained_on_the_gpu(case: Case, recorder: Callable[[], Recorder]) -> Tensor:
    """The parameters of all lanes after some steps."""
    cuda = torch.device("cuda")
    made = networks(case, device=cuda, dtype=torch.float32)
    lanes = heavy_ball_lanes(made, lanes=LANES, device=cuda, recorder=recorder)
    inputs, labels = (each.to(cuda) for each in minibatches(case, dtype=torch.float32))
    with torch.no_grad(), deterministic_kernels(cuda, wanted=True):
        for lane in range(LANES):
            start(lanes, made.now, lane, seed=lane)
        lanes.train(inputs, labels)
        return lanes.parameters.cpu()

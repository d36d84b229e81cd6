"""Lanes that are trained side by side have the numbers of lanes that are trained in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from objectives.classification import Classification
from objectives.data import Splits
from objectives.data.digits import Digits
from objectives.models.cnn import Cnn, Size
from objectives.models.layers.norms import Norm
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.devices.arithmetic import deterministic_kernels
from objectives.training.devices.recording import GpuRecorder, Recorder
from objectives.training.lanes import Lanes
from objectives.training.networks.calibration import Calibration
from objectives.training.networks.network import Computation, Networks, networks_for
from objectives.training.trainer import LaneTrainer
from tests.benchmarks.workloads import images
from tests.objectives.recorders import CrampedRecorder, EagerRecorder
from tests.objectives.reference import EASY, heavy_ball_lanes, start
from tuner.errors import OutOfMemory
from tuner.trial import TrialSpec

LANES = 5
CPU = torch.device("cpu")
GHOSTS = Cnn(Size.NARROW, norm=Norm.GHOST, ghost_size=4)
MODELS = [Mlp((16,)), Cnn(Size.NARROW, dropout=0.0), Cnn(Size.NARROW), GHOSTS]
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def lanes_of(
    model: Mlp | Cnn,
    batch_size: int,
    *,
    device: torch.device = CPU,
    recorder: Callable[[], Recorder] | None = None,
    side_by_side: int | None = None,
) -> Lanes:
    """Lanes for digits; perceptrons are trained all at once, as on a GPU."""
    splits = Digits().load()
    networks = networks_for(model, splits, Computation(), lanes=LANES, batch_size=batch_size, device=device)
    if isinstance(model, Mlp):
        networks = Networks(networks._make, Calibration((LANES,)))
    return heavy_ball_lanes(networks, lanes=LANES, device=device, recorder=recorder, side_by_side=side_by_side)


def load(made: Lanes, lane: int, seed: int) -> None:
    start(made, made._networks.now, lane, seed=seed)


def trained(made: Lanes, batch_size: int, *, device: torch.device = CPU) -> list[list[Tensor]]:
    """All tensors of each trial, once lanes have been vacated and loaded again and one was vacant all the time."""
    split = Digits().load().train
    rows = torch.randint(len(split), (12, LANES, batch_size), generator=torch.Generator().manual_seed(0))
    inputs, labels = split.inputs[rows].to(device), split.labels[rows].to(device)
    with torch.no_grad(), deterministic_kernels(device, wanted=True):
        for lane in (0, 1, 3):
            load(made, lane, seed=lane)
        made.train(inputs[:5], labels[:5])
        made.clear(1)
        made.train(inputs[5:8], labels[5:8])
        load(made, 2, seed=2)
        load(made, 1, seed=9)
        made.train(inputs[8:], labels[8:])
        rows_read = [made.read(lane) for lane in (0, 1, 2, 3)]
    return [[each.parameters, *each.state, each.loss_sum] for each in rows_read]


def assert_equal(ours: Sequence[Sequence[Tensor]], theirs: Sequence[Sequence[Tensor]]) -> None:
    """To the last bit."""
    for our, their in zip(ours, theirs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(our, their, strict=True))


@pytest.mark.parametrize("room", [LANES, 2, 1])
@pytest.mark.parametrize("model", MODELS)
def test_recorded_lanes_have_the_numbers_of_lanes_that_are_not_recorded(model: Mlp | Cnn, room: int) -> None:
    made = lanes_of(model, 8, recorder=lambda: EagerRecorder(room))

    assert_equal(trained(made, 8), trained(lanes_of(model, 8), 8))


@pytest.mark.parametrize(("model", "recorded"), [(Mlp((16,)), [1]), (Cnn(Size.NARROW), [LANES])])
def test_a_module_is_recorded_once_for_all_lanes(model: Mlp | Cnn, recorded: list[int]) -> None:
    recorder = EagerRecorder()

    trained(lanes_of(model, 8, recorder=lambda: recorder), 8)

    assert recorder.recorded == recorded


def test_fewer_lanes_are_trained_side_by_side_if_that_is_asked_for() -> None:
    recorder = EagerRecorder()

    trained(lanes_of(Cnn(Size.NARROW), 8, recorder=lambda: recorder, side_by_side=2), 8)

    assert recorder.recorded == [2, 2, 1]


def test_a_recording_whose_lanes_are_all_vacant_is_not_replayed() -> None:
    made = lanes_of(Cnn(Size.NARROW), 4, recorder=EagerRecorder, side_by_side=2)
    with torch.no_grad():
        load(made, 2, seed=0)
        made.train(torch.ones(3, LANES, 4, 64), torch.zeros(3, LANES, 4, dtype=torch.int64))
        losses = made.collect_losses(torch.arange(LANES))

    assert (losses > 0).tolist() == [False, False, True, True, False]  # lane 3 beside lane 2
    assert not made.parameters[3].any()


class Buffered:
    """A network for a lane at a time that computes its own gradients in a buffer."""

    together, autograd, draws, parameters, lanes = 1, False, False, 1, 1

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        sums += 1
        return torch.ones(1)

    def seed(self, noise: int) -> None:
        raise AssertionError("it draws no random numbers")

    def initialise(self, generator: torch.Generator) -> Tensor:
        return torch.zeros(1)

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        return inputs.expand(len(parameters), -1, -1)


def test_a_network_with_its_own_buffers_is_never_side_by_side_with_itself() -> None:
    recorder = EagerRecorder()
    networks = Networks(lambda _: Buffered(), Calibration((1,)))
    made = heavy_ball_lanes(networks, lanes=3, device=CPU, recorder=lambda: recorder)
    load(made, 1, seed=0)

    made.train(torch.zeros(2, 3, 4, 1), torch.zeros(2, 3, 4, dtype=torch.int64))

    assert recorder.recorded == [1, 1, 1]
    assert made.collect_losses(torch.arange(3)).tolist() == [0.0, 2.0, 0.0]


@dataclass(frozen=True)
class Images:
    """Random images, as large as those of MNIST."""

    def load(self) -> Splits:
        return images()


def on_the_gpu(model: Mlp | Cnn, *, batch_size: int = 64) -> LaneTrainer:
    """A trainer with a trial in each of three lanes, and none in a fourth."""
    made = Classification(Images(), model, HeavyBall(), LinearDecay()).trainer(batch_size, lanes=4, device="cuda")
    assert isinstance(made, LaneTrainer)
    for lane in (0, 1, 3):
        made.load(lane, TrialSpec(lane, EASY))
    return made


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("batch_size", [8, 64, 512])
@pytest.mark.parametrize("model", [Mlp((128,)), Cnn(dropout=0.0), Cnn(), Cnn(norm=Norm.GHOST, ghost_size=8)])
def test_a_gpu_repeats_a_run_to_the_last_bit(model: Mlp | Cnn, batch_size: int) -> None:
    first, second = (on_the_gpu(model, batch_size=batch_size) for _ in range(2))

    for _ in range(3):
        assert first.advance() == second.advance()

    assert torch.equal(first._lanes.parameters, second._lanes.parameters)


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("batch_size", [8, 64])
@pytest.mark.parametrize("model", MODELS)
def test_branches_have_the_numbers_of_one_graph_a_lane(model: Mlp | Cnn, batch_size: int) -> None:
    cuda = torch.device("cuda")
    together, in_turn = (lanes_of(model, batch_size, device=cuda, side_by_side=each) for each in (None, 1))

    assert_equal(trained(together, batch_size, device=cuda), trained(in_turn, batch_size, device=cuda))


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("room", [3, 2, 1])
def test_a_full_gpu_trains_fewer_lanes_side_by_side(room: int) -> None:
    cuda = torch.device("cuda")
    made = [lanes_of(Cnn(Size.NARROW), 8, device=cuda, recorder=each) for each in (cramped(room), GpuRecorder)]

    cramped_lanes, roomy = (trained(each, 8, device=cuda) for each in made)

    assert_equal(cramped_lanes, roomy)


@pytest.mark.gpu
@on_a_gpu
def test_a_gpu_without_room_for_one_lane_is_out_of_memory_and_its_trials_are_as_they_were() -> None:
    trainer = on_the_gpu(Cnn(Size.NARROW))
    trainer._lanes._recorder = cramped(0)
    before = trainer._lanes.parameters.clone()

    with pytest.raises(OutOfMemory, match="use fewer lanes"):
        trainer.advance()

    assert torch.equal(trainer._lanes.parameters, before)


def cramped(room: int) -> Callable[[], Recorder]:
    return lambda: CrampedRecorder(room)

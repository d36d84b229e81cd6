import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.models import Layout
from objectives.models.mlp import Mlp
from objectives.optimizers import Problem, State
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.devices.arithmetic import Precision
from objectives.training.devices.memory import memory_watched
from objectives.training.measuring.grid import next_measurement
from objectives.training.networks.network import Computation
from objectives.training.trainer import LaneTrainer
from tests.objectives.reference import EASY, curve_alone, curve_in_lane, curves_in_lanes, lane_trainer
from tuner.errors import OutOfMemory
from tuner.trial import TrialSpec

TRIAL = TrialSpec(11, EASY)
WILD = EASY | {"learning_rate": 1e30}
"""Diverges to numbers that are not finite at once."""


@pytest.mark.parametrize("batch_size", [2, 3, 64, 100, 1024])
def test_a_trial_is_the_same_to_the_last_bit_in_any_lane_beside_any_neighbours(batch_size: int) -> None:
    steps = 150 if batch_size < 1000 else 40
    alone = lane_trainer(batch_size, lanes=8)
    alone.load(0, TRIAL)
    neighbours = [TrialSpec(seed, WILD if seed % 4 == 0 else EASY) for seed in range(12)]
    trials = [*neighbours[:5], TRIAL, *neighbours[5:]]

    among = curves_in_lanes(lane_trainer(batch_size, lanes=8), trials, steps=steps)

    assert among[5] == curve_in_lane(alone, 0, steps=steps)


def test_a_trial_goes_on_from_a_checkpoint_as_if_nothing_had_happened() -> None:
    first, second = lane_trainer(48, lanes=2), lane_trainer(48, lanes=8)
    first.load(1, TRIAL)
    curve_in_lane(first, 1, steps=120)
    checkpoint = first.save(1)

    second.load(0, TrialSpec(5, EASY))
    curve_in_lane(second, 0, steps=7)
    second.load(6, TRIAL, checkpoint)

    assert curve_in_lane(second, 6, steps=300) == curve_in_lane(first, 1, steps=300)


def test_a_checkpoint_may_be_taken_between_two_measurements() -> None:
    first, second = lane_trainer(48, lanes=2), lane_trainer(48, lanes=2)
    first.load(0, TRIAL)
    curve_in_lane(first, 0, steps=400)
    first.load(1, TrialSpec(5, EASY))
    first.advance()
    checkpoint = first.save(0)
    first.unload(1)

    second.load(0, TRIAL, checkpoint)

    assert curve_in_lane(second, 0, steps=500) == curve_in_lane(first, 0, steps=500)


def test_a_checkpoint_of_an_untrained_trial_is_the_trial() -> None:
    first, second = lane_trainer(48, lanes=1), lane_trainer(48, lanes=1)
    first.load(0, TRIAL)

    second.load(0, TRIAL, first.save(0))

    assert curve_in_lane(second, 0, steps=50) == curve_in_lane(first, 0, steps=50)


def test_a_trial_measures_the_same_however_rarely_the_host_looks() -> None:
    often, rarely = lane_trainer(48, lanes=3), lane_trainer(48, lanes=3, chunk=16)
    trials = [TrialSpec(seed, EASY) for seed in range(5)]

    expected = curves_in_lanes(often, trials, steps=150)

    assert curves_in_lanes(rarely, trials, steps=150) == expected


def test_a_chunk_brings_every_measurement_on_its_way_oldest_first() -> None:
    trainer = lane_trainer(48, lanes=3, chunk=16)
    trainer.load(0, TRIAL)
    trainer.advance()
    trainer.load(2, TRIAL)

    measured = trainer.advance()

    assert {lane: [each.step for each in curve] for lane, curve in measured.items()} == {
        0: list(range(17, 33)),
        2: list(range(1, 17)),
    }


def test_a_chunk_may_end_between_two_measurements() -> None:
    trainer = lane_trainer(512, lanes=1, chunk=1)
    trainer.load(0, TRIAL)
    for _ in range(67):
        trainer.advance()

    measured = [[each.step for each in trainer.advance().get(0, ())] for _ in range(4)]

    assert measured == [[], [69], [], [71]]


@pytest.mark.parametrize("batch_size", [2, 1097])
def test_measurements_follow_the_same_grid_at_every_batch_size(batch_size: int) -> None:
    trainer = lane_trainer(batch_size, lanes=2)
    trainer.load(0, TRIAL)

    steps = [each.step for each in curve_in_lane(trainer, 0, steps=110)]

    assert steps[0] == 1
    assert steps[1:] == [next_measurement(step) for step in steps[:-1]]


def test_the_first_training_loss_is_that_of_the_initial_parameters_on_the_same_examples_at_every_batch_size() -> None:
    firsts = []
    for batch_size in (2, 1024):
        trainer = lane_trainer(batch_size, lanes=1)
        trainer.load(0, TRIAL)
        firsts.append(trainer.advance()[0][0].metrics)

    assert firsts[0]["train/loss"] == firsts[1]["train/loss"] == pytest.approx(math.log(10), abs=0.1)
    assert firsts[0].keys() == {"train/loss", "validation/loss", "validation/error", "test/error"}


def test_the_initial_loss_is_that_of_the_lane_beside_neighbours_that_were_measured_before() -> None:
    trainer = lane_trainer(48, lanes=2)
    trainer.load(0, TRIAL)
    before = trainer.advance()[0][0]
    trainer.load(1, TRIAL)

    measured = trainer.advance()

    assert measured[1][0].metrics["train/loss"] == before.metrics["train/loss"] != measured[0][0].metrics["train/loss"]


def test_the_training_loss_is_the_mean_over_the_steps_since_the_last_measurement() -> None:
    trainer = lane_trainer(16, lanes=2, dtype=torch.float64)
    trainer.load(1, TRIAL)
    expected = curve_alone(TRIAL, batch_size=16, steps=73, dtype=torch.float64)

    curve = curve_in_lane(trainer, 1, steps=73)

    assert [each.step for each in curve[-4:]] == [67, 69, 71, 73]
    for ours, theirs in zip(curve[-4:], expected[-4:], strict=True):
        assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-9)


def test_divergence_is_a_measurement_and_its_outputs_count_as_errors() -> None:
    trainer = lane_trainer(64, lanes=2)
    trainer.load(0, TrialSpec(0, WILD))

    last = curve_in_lane(trainer, 0, steps=10)[-1]

    assert math.isnan(last.metrics["train/loss"])
    assert last.metrics["validation/error"] == last.metrics["test/error"] == 1.0


def test_a_lane_that_has_diverged_serves_the_next_trial() -> None:
    used, fresh = lane_trainer(64, lanes=2), lane_trainer(64, lanes=2)
    used.load(0, TrialSpec(0, WILD))
    curve_in_lane(used, 0, steps=10)
    used.unload(0)
    used.load(0, TRIAL)
    fresh.load(0, TRIAL)

    assert curve_in_lane(used, 0, steps=50) == curve_in_lane(fresh, 0, steps=50)


def test_without_trials_nothing_is_measured() -> None:
    trainer = lane_trainer(64, lanes=2)

    assert trainer.advance() == {}


def test_a_lane_holds_one_trial() -> None:
    trainer = lane_trainer(64, lanes=2)
    trainer.load(1, TRIAL)

    with pytest.raises(ValueError, match="lane 1 holds a trial; unload it first"):
        trainer.load(1, TRIAL)


def test_the_device_is_named() -> None:
    assert lane_trainer(64, lanes=1, device="cpu").device == "cpu"
    assert lane_trainer(64, lanes=1, device="auto").device == ("cuda" if torch.cuda.is_available() else "cpu")


@dataclass
class Witness:
    """An optimizer that moves nothing and notes how torch computes."""

    seen: list[tuple[int, float, str, bool, bool]] = field(default_factory=list)
    hyperparameters = frozenset({"learning_rate"})

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:
        return ()

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        denormal = (torch.tensor(1e-38) * 0.01).item()
        cudnn = torch.backends.cudnn
        kernels = cudnn.deterministic, cudnn.benchmark
        self.seen.append((torch.get_num_threads(), denormal, torch.backends.cuda.matmul.fp32_precision, *kernels))
        return torch.zeros(len(parameters))


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("threads", "computation", "seen"),
    [
        (None, Computation(), (1, 0.0, "ieee", True, False)),
        ("2", Computation(Precision.TF32, deterministic=False), (2, 0.0, "tf32", False, True)),
    ],
)
def test_training_rounds_the_same_everywhere_unless_told_otherwise(
    threads: str | None,
    computation: Computation,
    seen: tuple[int, float, str, bool, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if threads:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    witness = Witness()
    few = Split(torch.zeros(2, 1), torch.tensor([0, 1]))
    trainer = LaneTrainer(
        Splits(few, few, few, classes=2, shape=(1,)),
        Mlp(()),
        optimizer=witness,
        schedule=LinearDecay(),
        batch_size=2,
        lanes=1,
        device="cpu",
        computation=computation,
    )
    trainer.load(0, TRIAL)
    trainer.advance()

    assert witness.seen == [seen]
    assert torch.get_num_threads() == 2
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (False, True)


def test_denormals_are_left_alone_outside_training() -> None:
    trainer = lane_trainer(64, lanes=1)
    trainer.load(0, TRIAL)
    trainer.advance()

    assert (torch.tensor(1e-38) * 0.01).item() > 0


def test_a_device_trains_a_chunk_before_anything_is_read_from_it() -> None:
    # The device "meta" computes shapes only: it refuses tensors of other devices, and that its numbers are read.
    trainer = lane_trainer(64, lanes=1, device="meta")
    trainer.load(0, TRIAL)
    assert trainer.device == "meta"

    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        trainer.advance()

    assert trainer._progress[0].step == 16


def test_a_closed_trainer_lets_go_of_its_trials() -> None:
    trainer = lane_trainer(64, lanes=1)
    trainer.load(0, TRIAL)

    trainer.close()

    assert trainer.advance() == {}


def test_too_many_lanes_are_out_of_memory() -> None:
    with pytest.raises(OutOfMemory, match="cpu cannot hold 1000000000000 lanes at batch size 2; use fewer lanes"):
        lane_trainer(2, lanes=10**12)


def test_a_full_accelerator_is_out_of_memory() -> None:
    with (
        pytest.raises(OutOfMemory, match="cuda cannot hold 8 lanes"),
        memory_watched(lanes=8, batch_size=2, device=torch.device("cuda")),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_other_errors_stay_what_they_are() -> None:
    with (
        pytest.raises(RuntimeError, match="shapes"),
        memory_watched(lanes=8, batch_size=2, device=torch.device("cpu")),
    ):
        raise RuntimeError("shapes")

"""What recorded steps are given, and what they leave alone."""

from functools import partial

import pytest
import torch
from torch import Tensor

from objectives.training.devices.recording import GpuRecorder, RecordedBranches
from tests.objectives.recorders import CrampedRecorder, EagerRecorder

ON_A_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def test_every_branch_gets_the_inputs_of_each_call() -> None:
    totals = torch.zeros(2)

    def add(lane: int, number: Tensor, factor: Tensor) -> None:
        totals[lane] += (lane + 1) * number * factor

    steps = [partial(add, lane) for lane in (0, 1)]
    recorded = RecordedBranches(
        steps, [torch.tensor(9.0), torch.tensor(9.0)], touched=[totals], recorder=EagerRecorder()
    )
    for number in (1.0, 10.0):
        recorded(torch.tensor(number), torch.tensor(2.0))

    assert totals.tolist() == [22.0, 44.0]


def test_inputs_keep_their_values() -> None:
    given = torch.tensor(1.0)
    recorded = RecordedBranches([lambda number: None], [given], recorder=EagerRecorder())

    recorded(torch.tensor(2.0))

    assert given == 1.0


@pytest.mark.parametrize("room", [0, 1, 2])
def test_recording_leaves_values_as_they_are_even_if_it_fails(room: int) -> None:
    numbers = torch.tensor([1.0, 2.0])
    recorder = EagerRecorder(room)

    def change(lane: int) -> None:
        numbers[lane] = 7.0

    steps = [partial(change, lane) for lane in (0, 1)]
    if room == 2:
        RecordedBranches(steps, [], touched=[numbers], recorder=recorder)
    else:
        with pytest.raises(torch.OutOfMemoryError):
            RecordedBranches(steps, [], touched=[numbers], recorder=recorder)

    assert numbers.tolist() == [1.0, 2.0]


@pytest.mark.gpu
@ON_A_GPU
def test_each_branch_draws_from_its_own_seed_as_torch_would() -> None:
    drawn = torch.zeros(40, 100, device="cuda")
    before = torch.cuda.get_rng_state()

    def draw(lane: int) -> None:
        for _ in range(lane + 1):  # so that the generators have gone on by different amounts
            drawn[lane].copy_(torch.rand(100, device="cuda"))

    steps = [partial(draw, lane) for lane in range(len(drawn))]
    recorded = RecordedBranches(steps, [], touched=[drawn], draws=True)  # more branches than torch has streams
    assert not drawn.any()
    found = []
    for first in (5, 700, 5):
        recorded(seeds=range(first, first + len(drawn)))
        found.append(drawn.clone())

    assert torch.equal(torch.cuda.get_rng_state(), before)
    assert torch.equal(found[0], found[2])
    for lane in (0, 3, 39):
        torch.cuda.manual_seed(700 + lane)
        draw(lane)
        assert torch.equal(found[1][lane], drawn[lane])


@pytest.mark.gpu
@ON_A_GPU
def test_a_gpu_goes_on_after_a_failed_recording() -> None:
    numbers = torch.zeros(2, 1000, device="cuda")

    def add(lane: int, factor: Tensor) -> None:
        numbers[lane] += factor * (lane + 1)

    steps = [partial(add, lane) for lane in (0, 1)]
    factor = torch.ones((), device="cuda")
    own = torch.cuda.get_rng_state()

    with pytest.raises(torch.OutOfMemoryError):
        RecordedBranches(steps, [factor], touched=[numbers], draws=True, recorder=CrampedRecorder(room=1))

    assert not numbers.any()
    assert torch.equal(torch.cuda.get_rng_state(), own)
    recorded = RecordedBranches(steps, [factor], touched=[numbers], recorder=GpuRecorder())
    recorded(factor * 3)
    assert numbers[:, 0].tolist() == [3.0, 6.0]

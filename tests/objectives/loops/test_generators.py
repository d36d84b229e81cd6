"""Loops in one process do not meet: not in their random numbers, nor in modes and threads of torch."""

import random
from contextlib import closing

import pytest
import torch

from tests.objectives.test_function import curve, loaded, spec
from tuner.errors import ContractError
from tuner.trial import Measurement


def test_a_loop_leaves_the_random_numbers_of_its_process_alone() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    curve(loaded("seeded_globally", spec()))

    assert random.random() == expected


def test_the_global_random_numbers_of_a_trial_begin_at_its_seed_and_go_on() -> None:
    chance = random.Random(7)
    expected = [Measurement(step, {"validation/error": chance.random()}) for step in (1, 2, 3)]

    assert curve(loaded("unseeded", spec(seed=7)), chunks=3) == expected


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode", "autocast"])
def test_a_mode_of_torch_that_other_lanes_would_share_breaks_the_contract(mode: str) -> None:
    trainer = loaded("yields_within", spec(mode=mode))

    with closing(trainer), pytest.raises(ContractError, match=f"yielded within {mode}, in which other trials would"):
        trainer.advance()


def test_a_loop_on_the_cpu_has_one_thread_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        limited = curve(loaded("counts_threads", spec()), chunks=2)[1]
        outside = torch.get_num_threads()
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        asked_for = curve(loaded("counts_threads", spec()), chunks=2)[1]
    finally:
        torch.set_num_threads(before)

    assert (limited, outside) == (Measurement(2, {"threads": 1}), 2)
    assert asked_for == Measurement(2, {"threads": 2})

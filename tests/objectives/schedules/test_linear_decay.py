import pytest
import torch

from objectives.schedules.constant import Constant
from objectives.schedules.linear_decay import LinearDecay


def test_the_learning_rate_decays_on_a_line_to_its_end_and_stays_there() -> None:
    hyperparameters = {"end_factor": torch.tensor([0.2]), "decay_steps": torch.tensor([50.5])}
    steps = torch.tensor([0, 1, 50, 51, 4000])

    factors = LinearDecay().factor(steps, hyperparameters)

    expected = [1.0, 1 - 0.8 / 50.5, 1 - 0.8 * 50 / 50.5, 0.2, 0.2]
    assert factors.tolist() == pytest.approx(expected, rel=1e-6)


def test_an_end_factor_of_one_is_a_constant_rate() -> None:
    hyperparameters = {"end_factor": torch.tensor([1.0]), "decay_steps": torch.tensor([10.0])}

    assert LinearDecay().factor(torch.arange(20), hyperparameters).tolist() == [1.0] * 20


def test_each_lane_has_its_own_schedule() -> None:
    hyperparameters = {"end_factor": torch.tensor([0.5, 0.0]), "decay_steps": torch.tensor([10.0, 20.0])}

    factors = LinearDecay().factor(torch.tensor([[0, 5], [10, 15]]), hyperparameters)

    assert factors.flatten().tolist() == pytest.approx([1.0, 0.75, 0.5, 0.25])


def test_without_a_schedule_the_rate_is_constant_in_every_lane() -> None:
    steps = torch.tensor([[0, 5], [10, 4000]])

    assert Constant().hyperparameters == frozenset()
    assert Constant().factor(steps, {}).tolist() == [[1.0, 1.0], [1.0, 1.0]]

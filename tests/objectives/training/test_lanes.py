"""What is trained beside what, and what random numbers it sees."""

import torch
from torch import Tensor

from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.lanes import Lanes
from objectives.training.networks.calibration import Calibration
from objectives.training.networks.network import Networks
from tests.objectives.reference import EASY

CPU = torch.device("cpu")
FEATURES = 4


class Listener:
    """A network of one parameter that takes one lane at once and remembers its seeds."""

    lanes, together, autograd, draws, parameters = 1, 1, False, True, 1

    def __init__(self) -> None:
        self.heard: list[int] = []

    def initialise(self, generator: torch.Generator) -> Tensor:
        return torch.zeros(1)

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        return inputs.expand(len(parameters), -1, -1)

    def seed(self, noise: int) -> None:
        self.heard.append(noise)

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        return torch.ones(1)


def trained(seeds: dict[int, int], *, lanes: int, calls: list[int], first_step: int = 0) -> Listener:
    """What a network hears when lanes with these seeds are trained for some steps at a time."""
    network = Listener()
    networks = Networks(lambda _: network, Calibration((1,)))
    made = Lanes(networks, optimizer=HeavyBall(), schedule=LinearDecay(), lanes=lanes, device=CPU, dtype=torch.float32)
    for lane, seed in seeds.items():
        made.write(lane, made.first_row(torch.zeros(1)), seed=seed, step=first_step, hyperparameters=EASY)
    for steps in calls:
        made.train(torch.zeros(steps, lanes, 3, FEATURES), torch.zeros(steps, lanes, 3, dtype=torch.int64))
    return network


def test_every_step_of_every_trial_has_random_numbers_of_its_own() -> None:
    heard = trained({0: 0, 1: 1}, lanes=2, calls=[200]).heard

    assert len(set(heard)) == 400
    assert min(heard) >= 0


def test_random_numbers_depend_on_seed_and_step_alone() -> None:
    expected = trained({0: 7}, lanes=1, calls=[20]).heard

    assert trained({3: 7}, lanes=4, calls=[3, 17]).heard == expected
    assert trained({0: 7}, lanes=1, calls=[15], first_step=5).heard == expected[5:]


def test_lanes_that_are_not_trained_at_once_take_all_their_steps_in_turn() -> None:
    first, second = (trained({0: seed}, lanes=1, calls=[4]).heard for seed in (7, 8))

    assert trained({0: 7, 1: 8}, lanes=2, calls=[4]).heard == [*first, *second]


def test_lanes_without_a_trial_are_not_trained_if_nobody_beside_them_is() -> None:
    assert len(trained({2: 5}, lanes=6, calls=[4]).heard) == 4

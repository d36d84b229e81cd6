"""What is trained beside what, and what random numbers it sees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from objectives.models import Layout
from objectives.optimizers import Problem, State
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.devices.recording import Recorder
from objectives.training.lanes import Lanes, Row
from objectives.training.networks.calibration import Calibration
from objectives.training.networks.network import Networks
from tests.objectives.recorders import EagerRecorder
from tests.objectives.reference import EASY, heavy_ball_lanes

CPU = torch.device("cpu")
FEATURES = 4


class Listener:
    """A network of one parameter whose gradient is one everywhere. It remembers its seeds.

    Args:
        lanes: How many are trained at once.
        draws: Whether it draws random numbers.
    """

    together, autograd, parameters = 1, False, 1

    def __init__(self, lanes: int = 1, *, draws: bool = True) -> None:
        self.lanes, self.draws = lanes, draws
        self.heard: list[int] = []
        self.calls = 0

    def initialise(self, generator: torch.Generator) -> Tensor:
        return torch.zeros(1)

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        return inputs.expand(len(parameters), -1, -1)

    def seed(self, noise: int) -> None:
        self.heard.append(noise)

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        self.calls += 1
        sums += 1
        return torch.ones(len(parameters))


def made(network: Listener, *, lanes: int) -> Lanes:
    """Lanes that train a network."""
    networks = Networks(lambda _: network, Calibration((network.lanes,)))
    return heavy_ball_lanes(networks, lanes=lanes, device=CPU)


def load(made: Lanes, lane: int, *, seed: int = 0, step: int = 0, **changes: float) -> None:
    """Start a trial from parameter 0."""
    made.write(lane, made.first_row(torch.zeros(1)), seed=seed, step=step, hyperparameters=EASY | changes)


def train(made: Lanes, *, lanes: int, steps: int) -> None:
    made.train(torch.zeros(steps, lanes, 3, FEATURES), torch.zeros(steps, lanes, 3, dtype=torch.int64))


def trained(seeds: dict[int, int], *, lanes: int, calls: list[int], first_step: int = 0) -> Listener:
    """What a network hears when lanes with these seeds are trained for some steps at a time."""
    network = Listener()
    rows = made(network, lanes=lanes)
    for lane, seed in seeds.items():
        load(rows, lane, seed=seed, step=first_step)
    for steps in calls:
        train(rows, lanes=lanes, steps=steps)
    return network


@dataclass
class Witness:
    """An optimizer that moves nothing and keeps the hyperparameters it is given."""

    given: Mapping[str, Tensor] = field(default_factory=dict)
    hyperparameters = frozenset({"learning_rate", "weight_decay"})

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:
        return ()

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        self.given = numbers
        return torch.zeros_like(parameters[:, 0])


def splitmix(number: int) -> int:
    """The last steps of Sebastiano Vigna's splitmix64.c on signed numbers, without the sign of the result."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        number = (number ^ (number >> shift)) * factor
        number = (number + 2**63) % 2**64 - 2**63
    return (number ^ (number >> 31)) % 2**63


def test_every_step_of_every_trial_has_random_numbers_of_its_own() -> None:
    heard = trained({0: 0, 1: 1}, lanes=2, calls=[200]).heard

    assert len(set(heard)) == 400
    assert min(heard) >= 0


def test_random_numbers_depend_on_seed_and_step_alone() -> None:
    expected = trained({0: 7}, lanes=1, calls=[20]).heard

    assert trained({3: 7}, lanes=4, calls=[3, 17]).heard == expected
    assert trained({0: 7}, lanes=1, calls=[15], first_step=5).heard == expected[5:]


def test_a_network_that_draws_no_random_numbers_is_given_none() -> None:
    network = Listener(draws=False)
    rows = made(network, lanes=1)
    load(rows, 0)

    train(rows, lanes=1, steps=2)

    assert network.heard == []


def test_lanes_that_are_not_trained_at_once_take_all_their_steps_in_turn() -> None:
    first, second = (trained({0: seed}, lanes=1, calls=[4]).heard for seed in (7, 8))

    assert trained({0: 7, 1: 8}, lanes=2, calls=[4]).heard == [*first, *second]


def test_lanes_without_a_trial_are_not_trained_if_nobody_beside_them_is() -> None:
    assert len(trained({2: 5}, lanes=6, calls=[4]).heard) == 4


@pytest.mark.parametrize("seed", [0, 1, 7, 2**40 + 3, 2**63 - 1])
def test_random_numbers_are_splitmix_of_the_step_added_to_splitmix_of_the_seed(seed: int) -> None:
    heard = trained({0: seed}, lanes=1, calls=[5]).heard

    assert heard == [splitmix((splitmix(seed) + step + 2**63) % 2**64 - 2**63) for step in range(5)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_optimizer_gets_a_column_of_each_hyperparameter_in_the_type_of_the_parameters(dtype: torch.dtype) -> None:
    witness, network = Witness(), Listener(2, draws=False)
    networks = Networks(lambda _: network, Calibration((2,)))
    rows = Lanes(networks, optimizer=witness, schedule=LinearDecay(), lanes=2, device=CPU, dtype=dtype)
    load(rows, 0, weight_decay=0.1, learning_rate=0.3)
    load(rows, 1, weight_decay=0.2, learning_rate=0.7)

    train(rows, lanes=2, steps=1)

    expected = {"weight_decay": [[0.1], [0.2]], "learning_rate": [[0.3], [0.7]]}
    assert witness.given.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(witness.given[name], torch.tensor(values, dtype=dtype), rtol=0, atol=0)


@dataclass
class Sparing(Witness):
    """A witness that does without the weight decay."""

    defaults: ClassVar[Mapping[str, float]] = {"weight_decay": 0.0}
    dispensable = frozenset({"weight_decay"})


@pytest.mark.parametrize("recorder", [None, EagerRecorder])
def test_an_optimizer_does_without_a_hyperparameter_until_a_trial_names_it(
    recorder: Callable[[], Recorder] | None,
) -> None:
    witness, networks = Sparing(), Networks(lambda _: Listener(2, draws=False), Calibration((2,)))
    rows = Lanes(
        networks,
        optimizer=witness,
        schedule=LinearDecay(),
        lanes=2,
        device=CPU,
        dtype=torch.float32,
        recorder=recorder,
    )
    load(rows, 0)
    rows.clear(1)
    train(rows, lanes=2, steps=1)
    before = set(witness.given)
    load(rows, 1, weight_decay=0.25)

    train(rows, lanes=2, steps=1)

    assert before == {"learning_rate"}
    assert witness.given["weight_decay"].tolist() == [[0.0], [0.25]]


def test_a_trial_starts_with_a_state_of_the_shape_and_type_of_its_parameters() -> None:
    row = made(Listener(draws=False), lanes=1).first_row(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))

    assert row.parameters.tolist() == [1.0, 2.0, 3.0]
    assert row.state[0].tolist() == [0.0, 0.0, 0.0]
    assert row.parameters.dtype == row.state[0].dtype == torch.float32
    assert row.loss_sum.item() == 0.0


def test_lanes_are_trained_by_the_network_of_each_number_of_lanes_that_is_tried() -> None:
    listeners = {lanes: Listener(lanes, draws=False) for lanes in (1, 2)}
    networks = Networks(listeners.__getitem__, Calibration((1, 2)))
    rows = heavy_ball_lanes(networks, lanes=2, device=CPU)
    load(rows, 0)
    load(rows, 1)

    for _ in range(2):
        train(rows, lanes=2, steps=3)

    assert (listeners[1].calls, listeners[2].calls) == (6, 3)


def test_a_lane_follows_its_own_rate_momentum_and_decay() -> None:
    rows = made(Listener(2, draws=False), lanes=2)
    load(rows, 0, learning_rate=0.5, momentum=0.0, end_factor=1.0)
    load(rows, 1, learning_rate=1.0, momentum=0.5, end_factor=0.5, decay_steps=2.0)

    train(rows, lanes=2, steps=3)

    # Rates 1, 0.75 and 0.5, velocities 1, 1.5 and 1.75.
    assert rows.parameters.flatten().tolist() == [-1.5, -(1.0 + 0.75 * 1.5 + 0.5 * 1.75)]


@pytest.mark.parametrize("calls", [[12], [3, 1, 6, 2], [1] * 12])
def test_a_trial_keeps_its_numbers_however_many_steps_are_trained_at_once(calls: list[int]) -> None:
    rows = made(Listener(2, draws=False), lanes=2)
    load(rows, 0, momentum=0.5, end_factor=0.5, decay_steps=10.0)
    load(rows, 1, momentum=0.9)
    train(rows, lanes=2, steps=4)
    load(rows, 1, momentum=0.25, decay_steps=5.0)

    for steps in calls:
        train(rows, lanes=2, steps=steps)

    velocity, moved, expected = [0.0, 0.0], [0.0, 0.0], []
    for step in range(16):
        velocity = [momentum * each + 1 for momentum, each in zip((0.5, 0.25), velocity, strict=True)]
        rate = EASY["learning_rate"]
        factors = (1 - 0.5 * min(step / 10, 1), 1 - (1 - EASY["end_factor"]) * min(step / 5, 1))
        moved = [at - rate * by * each for at, by, each in zip(moved, factors, velocity, strict=True)]
        expected.append(moved)
    assert rows.parameters.flatten().tolist() == pytest.approx([expected[15][0], expected[11][1]], rel=1e-5)


def test_a_trial_goes_on_with_the_learning_rate_of_its_step() -> None:
    rows = made(Listener(draws=False), lanes=1)
    load(rows, 0, step=2, learning_rate=1.0, momentum=0.0, end_factor=0.0, decay_steps=4.0)

    train(rows, lanes=1, steps=1)
    train(rows, lanes=1, steps=1)

    assert rows.parameters.item() == -(0.5 + 0.25)


def test_losses_are_added_up_from_one_collection_to_the_next() -> None:
    rows = made(Listener(2, draws=False), lanes=2)
    load(rows, 0)
    load(rows, 1)
    collected = []
    for steps in (4, 3):
        train(rows, lanes=2, steps=steps)
        collected.append(rows.collect_losses(torch.tensor([1])).item())

    assert collected == [4.0, 3.0]
    assert rows.collect_losses(torch.tensor([0, 1])).tolist() == [7.0, 0.0]


def test_a_row_that_was_read_keeps_its_values_when_the_lane_is_trained_further() -> None:
    rows = made(Listener(draws=False), lanes=1)
    load(rows, 0, learning_rate=1.0, momentum=0.5, end_factor=1.0)
    train(rows, lanes=1, steps=1)

    row = rows.read(0)
    train(rows, lanes=1, steps=1)

    assert (row.parameters.item(), row.state[0].item(), row.loss_sum.item()) == (-1.0, 1.0, 1.0)


def test_a_row_that_was_read_is_what_is_written() -> None:
    first, second = (made(Listener(draws=False), lanes=1) for _ in range(2))
    load(first, 0, momentum=0.5)
    train(first, lanes=1, steps=3)

    second.write(0, first.read(0), seed=0, step=3, hyperparameters=EASY | {"momentum": 0.5})
    for each in (first, second):
        train(each, lanes=1, steps=2)

    assert second.read(0) == first.read(0)


def test_a_vacant_lane_stays_at_zero_beside_one_that_is_trained() -> None:
    rows = made(Listener(2, draws=False), lanes=2)
    for lane in (0, 1):
        load(rows, lane, learning_rate=1e30)
    train(rows, lanes=2, steps=200)

    rows.clear(1)
    train(rows, lanes=2, steps=200)

    vacant = rows.read(1)
    assert vacant.parameters.item() == 0.0
    assert vacant.state[0].isfinite()


def test_a_vacated_lane_is_not_trained_if_nobody_beside_it_is() -> None:
    network = Listener()
    rows = made(network, lanes=2)
    load(rows, 0)
    load(rows, 1)
    rows.clear(0)

    train(rows, lanes=2, steps=4)

    assert len(network.heard) == 4
    assert rows.read(0).loss_sum.item() == 0.0


def test_a_row_of_another_optimizer_is_refused() -> None:
    rows = made(Listener(draws=False), lanes=1)
    row = rows.first_row(torch.zeros(1))

    with pytest.raises(ValueError, match="shorter"):
        rows.write(0, Row(row.parameters, (), row.loss_sum), seed=0, step=0, hyperparameters=EASY)


def test_steps_are_whole_numbers_and_every_tensor_is_on_the_device() -> None:
    # The device "meta" computes shapes only, and refuses tensors of other devices.
    meta, witness, steps = torch.device("meta"), Witness(), []

    class Watched(LinearDecay):
        def factor(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
            steps.append(step)
            return super().factor(step, hyperparameters)

    networks = Networks(lambda _: Listener(2, draws=False), Calibration((2,)))
    rows = Lanes(networks, optimizer=witness, schedule=Watched(), lanes=2, device=meta, dtype=torch.float32)
    load(rows, 0, weight_decay=0.1)

    rows.train(torch.zeros(3, 2, 3, FEATURES, device=meta), torch.zeros(3, 2, 3, dtype=torch.int64, device=meta))

    losses = rows.collect_losses(torch.tensor([0], device=meta))
    tensors = [rows.parameters, losses, *steps, *witness.given.values()]
    assert {each.device.type for each in tensors} == {"meta"}
    assert [(each.dtype, each.shape) for each in steps] == [(torch.int64, (3, 2))]

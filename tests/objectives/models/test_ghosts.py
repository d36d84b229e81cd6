"""Batch norm in lanes: each trial keeps its own running averages."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from objectives.classification import Classification
from objectives.data.digits import Digits
from objectives.models.cnn import Cnn, Size
from objectives.models.layers.ghosts import GhostBatchNorm
from objectives.models.layers.norms import Norm
from objectives.models.regularisation import Regularisation
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.networks.accumulation import Accumulation
from objectives.training.networks.modules import ModuleNetwork
from tests.objectives.reference import DEVICES, EASY, curve_in_lane, losses_and_gradient
from tuner.errors import ConfigError
from tuner.objective import Trainer
from tuner.trial import TrialSpec

CPU = torch.device("cpu")
TRIAL = TrialSpec(11, EASY)
STEPS = 12


@dataclass(frozen=True)
class Normalised:
    """A perceptron with batch norm; of ghost batches, unless their size is 0."""

    ghost_size: int = 4

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        norm = GhostBatchNorm(5, self.ghost_size) if self.ghost_size else nn.BatchNorm1d(5)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 5), norm, nn.ReLU(), nn.Linear(5, classes))


def network(ghost_size: int) -> ModuleNetwork:
    made = Normalised(ghost_size)
    return ModuleNetwork(lambda: made.module((1, 8, 8), 3), (1, 8, 8), device=CPU, dtype=torch.float64)


def trainer(
    model: Normalised | Cnn, *, batch_size: int = 16, lanes: int = 1, microbatch: int | None = None, device: str = "cpu"
) -> Trainer:
    made = Classification(Digits(), model, HeavyBall(), LinearDecay(), microbatch=microbatch)
    return made.trainer(batch_size, lanes=lanes, device=device)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(5,), (5, 3, 2)])
def test_ghost_batches_are_batches_of_ordinary_batch_norm(shape: tuple[int, ...]) -> None:
    ghost, ordinary = GhostBatchNorm(5, 4).double(), (nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(5).double()
    ordinary.load_state_dict(ghost.state_dict())
    inputs, twin = (random(12, *shape).requires_grad_() for _ in range(2))
    slopes = random(12, *shape, seed=1)

    outputs, expected = ghost(inputs), torch.cat([ordinary(part) for part in twin.view(3, 4, *shape)])

    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(outputs, [inputs, *ghost.parameters()], slopes),
        torch.autograd.grad(expected, [twin, *ordinary.parameters()], slopes),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(ghost.get_buffer(name), ordinary.get_buffer(name), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ghost.eval()(inputs), ordinary.eval()(inputs), rtol=1e-12, atol=1e-12)


def test_a_small_minibatch_is_one_ghost_batch() -> None:
    inputs = random(3, 5)

    assert torch.equal(GhostBatchNorm(5, 4).double()(inputs), nn.BatchNorm1d(5).double()(inputs))


def test_ghost_batches_need_channels() -> None:
    with pytest.raises(ValueError, match="ghost batch norm needs"):
        GhostBatchNorm(5, 4)(torch.zeros(8))


@pytest.mark.parametrize("microbatch", [4, 8, 12, 20])
def test_parts_of_whole_ghost_batches_add_up_to_the_minibatch(microbatch: int) -> None:
    row = network(4).initialise(torch.Generator().manual_seed(0)).double()
    averages, expected_averages = row.repeat(2, 1).unsqueeze(1).unbind()
    inputs, labels = random(1, 20, 64), torch.arange(20)[None] % 3
    parts = Accumulation(lambda _: network(4), batch_size=20, microbatch=microbatch)

    losses, gradient = losses_and_gradient(parts, averages, inputs, labels)

    expected_losses, expected = losses_and_gradient(network(4), expected_averages, inputs, labels)
    torch.testing.assert_close(losses, expected_losses, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(averages, expected_averages, rtol=1e-12, atol=1e-12)
    assert not torch.equal(averages[0], row)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", [Normalised(4), Normalised(0), Cnn(Size.NARROW, norm=Norm.GHOST, ghost_size=8)])
def test_a_trial_is_the_same_in_any_lane_and_goes_on_from_a_checkpoint(model: Normalised | Cnn, device: str) -> None:
    alone, among, later = (trainer(model, lanes=lanes, device=device) for lanes in (1, 3, 2))
    alone.load(0, TRIAL)
    among.load(0, TrialSpec(1, EASY))
    among.load(2, TRIAL)

    curve = curve_in_lane(among, 2, steps=STEPS)
    later.load(1, TRIAL, among.save(2))

    assert curve == curve_in_lane(alone, 0, steps=STEPS)
    assert curve_in_lane(later, 1, steps=2 * STEPS) == curve_in_lane(alone, 0, steps=2 * STEPS)


def test_a_lane_is_the_trial_trained_alone_with_torch_and_measured_by_its_running_averages() -> None:
    made = network(0)
    row = made.initialise(torch.Generator().manual_seed(0)).double()
    alone = Normalised(0).module((1, 8, 8), 3).double()
    with torch.no_grad():
        for own, leaf in zip(alone.parameters(), made._leaves(row), strict=False):
            own.copy_(leaf)
    optimizer = torch.optim.SGD(alone.parameters(), lr=0.1, momentum=0.5)
    velocity, rows = torch.zeros(1, len(row), dtype=torch.float64), row.clone().unsqueeze(0)

    for step in range(5):
        inputs, labels = random(16, 64, seed=step), torch.arange(16) % 3
        velocity *= 0.5
        made.add_gradient(rows, inputs.unsqueeze(0), labels.unsqueeze(0), velocity)
        rows -= 0.1 * velocity
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(alone(inputs), labels))
        optimizer.step()

    inputs = random(9, 64, seed=99)
    with torch.no_grad():
        torch.testing.assert_close(made.logits(rows, inputs)[0], alone.eval()(inputs), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("ghost_size", "batch_size", "microbatch", "message"),
    [
        (0, 16, 8, "objective.microbatch: batch norm needs all 16 examples of a minibatch at once, not 8; use ghost"),
        (4, 18, None, "batch_sizes: 18 is not a multiple of the 4 examples of a ghost batch"),
        (4, 16, 6, "objective.microbatch: 6 is not a multiple of the 4 examples of a ghost batch"),
        (32, 16, 8, "objective.microbatch: 8 is not a multiple of the 32 examples of a ghost batch"),
    ],
)
def test_examples_that_are_normalised_together_are_not_torn_apart(
    ghost_size: int, batch_size: int, microbatch: int | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        trainer(Normalised(ghost_size), batch_size=batch_size, microbatch=microbatch)


def test_a_full_device_gets_whole_ghost_batches() -> None:
    given: list[int] = []

    class Small(ModuleNetwork):
        """Holds 10 examples and no more."""

        def add_gradient(
            self,
            parameters: Tensor,
            inputs: Tensor,
            labels: Tensor,
            sums: Tensor,
            share: float = 1.0,
            regularisation: Regularisation | None = None,
        ) -> Tensor:
            given.append(labels.shape[1])
            losses = super().add_gradient(parameters, inputs, labels, sums, share, regularisation)
            if labels.shape[1] > 10:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return losses

    made = Small(lambda: Normalised(4).module((1, 8, 8), 3), (1, 8, 8), device=CPU, dtype=torch.float64)
    rows = made.initialise(torch.Generator().manual_seed(0)).double().unsqueeze(0)
    twin, inputs, labels = rows.clone(), random(1, 24, 64), torch.arange(24)[None] % 3
    parts = Accumulation(lambda _: made, batch_size=24)

    losses_and_gradient(parts, rows, inputs, labels)

    losses_and_gradient(network(4), twin, inputs, labels)
    assert [size for size, following in pairwise([*given, 0]) if size != following] == [24, 12, 8]
    torch.testing.assert_close(rows, twin, rtol=1e-12, atol=1e-12)

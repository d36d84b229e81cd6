"""Ghost batch norm is ordinary batch norm of parts; and takes its place in any module."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from objectives.models.layers.ghosts import GhostBatchNorm, has_batch_norm, with_ghosts

SHAPES = [(5,), (5, 3, 2)]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ordinary(shape: tuple[int, ...], **settings: float) -> nn.BatchNorm1d | nn.BatchNorm2d:
    return (nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(shape[0], **settings).double()  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ghost_size_of_the_batch_size_is_ordinary_batch_norm(shape: tuple[int, ...]) -> None:
    ghost, whole = GhostBatchNorm(5, 12).double(), ordinary(shape)
    inputs, twin = (random(12, *shape).requires_grad_() for _ in range(2))

    outputs, expected = ghost(inputs), whole(twin)

    assert torch.equal(outputs, expected)
    for ours, theirs in zip(
        torch.autograd.grad(outputs, [inputs, *ghost.parameters()], random(12, *shape, seed=1)),
        torch.autograd.grad(expected, [twin, *whole.parameters()], random(12, *shape, seed=1)),
        strict=True,
    ):
        assert torch.equal(ours, theirs)
    for name in ("running_mean", "running_var"):
        assert torch.equal(ghost.get_buffer(name), whole.get_buffer(name))


@given(ghosts=st.integers(1, 6), size=st.integers(2, 5), momentum=st.floats(0.01, 0.9), shape=st.sampled_from(SHAPES))
@settings(max_examples=30, deadline=None)
def test_running_averages_are_updated_by_one_ghost_batch_after_the_other(
    ghosts: int, size: int, momentum: float, shape: tuple[int, ...]
) -> None:
    norm = GhostBatchNorm(5, size, momentum=momentum).double()
    inputs = random(ghosts * size, *shape)
    mean, variance = torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    for ghost in inputs.view(ghosts, size, *shape):
        of_channels = ghost.transpose(0, 1).flatten(1)
        mean = (1 - momentum) * mean + momentum * of_channels.mean(1)
        variance = (1 - momentum) * variance + momentum * of_channels.var(1)

    norm(inputs)

    torch.testing.assert_close(norm.running_mean, mean, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(norm.running_var, variance, rtol=1e-10, atol=1e-12)


def test_a_minibatch_that_is_no_multiple_is_refused() -> None:
    with pytest.raises(ValueError, match="10 examples are not a multiple of the 4 of a ghost batch"):
        GhostBatchNorm(5, 4)(torch.zeros(10, 5))


class Nested(nn.Module):
    """Batch norms in all places: nested, twice the same, and of another kind."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)
        self.inner = nn.Sequential(nn.Conv2d(3, 3, 1), self.shared, nn.InstanceNorm2d(3))
        self.last = nn.BatchNorm1d(3)

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.inner(self.shared(images)).mean((2, 3)))
        return outputs


def test_all_batch_norms_of_a_module_are_replaced_with_their_settings_and_numbers() -> None:
    module = Nested().double()
    module(random(6, 3, 4, 4))
    before = {name: each.clone() for name, each in module.state_dict().items()}
    parameters = list(module.parameters())

    ghosts = with_ghosts(module, 2)

    assert ghosts is module
    assert not has_batch_norm(ghosts)
    assert isinstance(module.shared, GhostBatchNorm)
    assert module.shared is module.inner[1]
    assert (module.shared.eps, module.shared.momentum, module.shared.ghost_size) == (1e-3, 0.3, 2)
    assert type(module.inner[2]) is nn.InstanceNorm2d
    assert all(ours is theirs for ours, theirs in zip(module.parameters(), parameters, strict=True))
    assert all(torch.equal(each, before[name]) for name, each in module.state_dict().items())


def test_a_module_with_ghosts_is_what_it_was_for_one_ghost_batch_and_when_it_is_measured() -> None:
    module, twin = Nested().double(), Nested().double()
    twin.load_state_dict(module.state_dict())
    inputs = random(6, 3, 4, 4)

    ghosts = with_ghosts(twin, 6)

    assert torch.equal(ghosts(inputs), module(inputs))
    assert torch.equal(ghosts.eval()(inputs), module.eval()(inputs))


def test_a_batch_norm_alone_is_replaced_too() -> None:
    ghost = with_ghosts(nn.BatchNorm1d(3).eval(), 4)

    assert isinstance(ghost, GhostBatchNorm)
    assert not ghost.training
    assert "ghost_size=4" in repr(ghost)
    assert with_ghosts(ghost, 8) is ghost


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(3, affine=False),
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.BatchNorm2d(3, momentum=None),
    ],
)
def test_a_batch_norm_that_has_no_ghost_is_refused(norm: nn.BatchNorm2d) -> None:
    with pytest.raises(ValueError, match="needs weights, running averages and a momentum"):
        with_ghosts(nn.Sequential(norm))

"""Eigenvalues and trace are those of the dense Hessian of a network that is small enough for it."""

import pytest
import torch
from torch import Tensor, nn

from objectives.diagnostics.hessian import curvature
from objectives.diagnostics.training_loss import TrainingLoss
from objectives.losses.cross_entropy import CROSS_ENTROPY

FEATURES, HIDDEN, CLASSES, EXAMPLES = 8, 6, 4, 96


@pytest.fixture
def loss() -> TrainingLoss:
    """That of a small network that has been trained, on blocks of different length."""
    inputs = torch.randn(EXAMPLES, FEATURES, generator=torch.Generator().manual_seed(1))
    labels = inputs[:, :CLASSES].argmax(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, CLASSES))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.3)
    for _ in range(100):
        optimizer.zero_grad()
        CROSS_ENTROPY.function(module(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    blocks = list(zip(torch.split(inputs, 40), torch.split(labels, 40), strict=True))
    return TrainingLoss(module.eval(), CROSS_ENTROPY, blocks)


def dense(loss: TrainingLoss) -> Tensor:
    """The Hessian, `[parameter, parameter]`, by finite differences of the gradient in float64."""
    loss = TrainingLoss(loss.module.double(), loss.loss, [(inputs.double(), labels) for inputs, labels in loss.blocks])
    here, step = loss.point, 1e-5
    moves = step * torch.eye(len(here), dtype=here.dtype)
    return torch.stack([(loss.gradient(here + each)[1] - loss.gradient(here - each)[1]) / (2 * step) for each in moves])


def test_the_largest_eigenvalues_and_the_trace_are_those_of_the_dense_hessian(loss: TrainingLoss) -> None:
    found = curvature(loss, eigenvalues=5, products=60, seed=2)

    hessian = dense(loss)
    largest = torch.linalg.eigvalsh(hessian).flip(0)[:5].tolist()
    assert found.eigenvalues == pytest.approx(largest, rel=0.01)
    assert found.trace == pytest.approx(float(hessian.trace()), rel=0.05)


def test_the_same_seed_gives_the_same_and_leaves_torchs_generator_alone(loss: TrainingLoss) -> None:
    before = torch.random.get_rng_state()
    first, again = (curvature(loss, eigenvalues=2, products=9, seed=2) for _ in range(2))

    assert first == again
    assert torch.equal(torch.random.get_rng_state(), before)

"""Damped inverses of the factors of K-FAC: by their definition, and where rounding has made factors indefinite."""

import math

import pytest
import torch

from objectives.optimizers.kfac import damped_inverses


def test_inverses_are_damped_by_the_traces() -> None:
    generator = torch.Generator().manual_seed(0)
    below, above = (torch.randn(2, side, 9, generator=generator).double() for side in (4, 3))
    below, above = 100 * below @ below.mT, above @ above.mT

    found = damped_inverses(below, above, torch.tensor([0.5, 2.0]).double().view(2, 1, 1))

    for lane, damping in enumerate((0.5, 2.0)):
        pi = math.sqrt((below[lane].trace() / 4) / (above[lane].trace() / 3))
        for inverse, factor, added in (
            (found[0], below, pi * math.sqrt(damping)),
            (found[1], above, math.sqrt(damping) / pi),
        ):
            expected = torch.linalg.inv(factor[lane] + added * torch.eye(factor.shape[1]).double())
            torch.testing.assert_close(inverse[lane], expected)


def test_factors_that_rounding_made_indefinite_have_inverses_all_the_same() -> None:
    eigenvalues = torch.tensor([[1e4, 1.0, 2.0], [1e4, -20.0, 2.0], [1e4, torch.nan, 2.0]])
    damping = torch.full((3, 1, 1), 0.01)

    first, _ = damped_inverses(eigenvalues.diag_embed(), torch.eye(2).expand(3, -1, -1), damping)

    added = 0.1 * eigenvalues.mean(1).sqrt()
    torch.testing.assert_close(first[0].diagonal(), 1 / (eigenvalues[0] + added[0]))
    torch.testing.assert_close(first[1].diagonal(), 1 / (eigenvalues[1].clamp_min(0) + added[1]))
    assert first[2].isnan().all()


def test_a_factor_of_rank_one_is_inverted_with_a_damping_far_below_its_rounding() -> None:
    vector = torch.linspace(1, 2, 40).unsqueeze(1)
    below = (1e6 * vector @ vector.T).unsqueeze(0)

    first, _ = damped_inverses(below, torch.eye(2).unsqueeze(0), torch.full((1, 1, 1), 1e-16))

    assert torch.linalg.cholesky_ex(below).info  # indefinite
    assert first.isfinite().all()
    eigenvalues = torch.linalg.eigvalsh(first[0].double())
    most = 1e8 / below[0].diagonal().mean().sqrt().item()  # of directions that no input has
    assert eigenvalues.max().item() == pytest.approx(most, rel=1e-3)
    assert eigenvalues.min() > -1e-6 * most

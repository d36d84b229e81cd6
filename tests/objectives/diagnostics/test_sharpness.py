"""Sharpness is what can be computed by hand, of a bowl and of a slope."""

import pytest
import torch

from objectives.diagnostics import sharpness as measured
from objectives.diagnostics.sharpness import sharpness, subspace_sharpness
from tests.objectives.diagnostics.quadratics import bowl, slope

REACHES = (1e-3, 5e-4)
DIMENSIONS = 200


@pytest.mark.parametrize("reach", REACHES)
def test_in_a_bowl_the_loss_is_highest_in_the_corners_of_the_box(reach: float) -> None:
    point = torch.linspace(-2, 2, DIMENSIONS, dtype=torch.float64)
    curvatures = torch.logspace(0, 3, DIMENSIONS, dtype=torch.float64)
    loss = bowl(point, curvatures, torch.cat([point + 0.1, point - 0.1]).view(2, -1))  # the bottom is not at 0
    bottom = 0.5 * 0.1**2 * float(curvatures.sum())

    risen = 0.5 * float((curvatures * (reach * (point.abs() + 1)).square()).sum())

    assert sharpness(loss, reach=reach, seed=3) == pytest.approx(100 * risen / (1 + bottom), rel=1e-3)


@pytest.mark.parametrize("reach", REACHES)
def test_on_a_slope_it_rises_along_every_direction(reach: float) -> None:
    generator = torch.Generator().manual_seed(5)
    point, steepness = torch.rand(2, DIMENSIONS, generator=generator, dtype=torch.float64)
    loss, before = slope(point, steepness), float(point @ steepness)
    columns = torch.randn(100, DIMENSIONS, generator=torch.Generator().manual_seed(3)).double()
    within = torch.linalg.pinv(columns.T) @ point

    full = float((steepness.abs() * reach * (point.abs() + 1)).sum())
    part = float(((columns @ steepness).abs() * reach * (within.abs() + 1)).sum())

    assert sharpness(loss, reach=reach, seed=3) == pytest.approx(100 * full / (1 + before), rel=1e-6)
    assert subspace_sharpness(loss, reach=reach, seed=3) == pytest.approx(100 * part / (1 + before), rel=1e-6)


def test_a_subspace_that_would_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "MOST_NUMBERS", 100 * DIMENSIONS - 1)

    assert subspace_sharpness(slope(torch.zeros(DIMENSIONS), torch.ones(DIMENSIONS)), reach=1e-3, seed=0) is None

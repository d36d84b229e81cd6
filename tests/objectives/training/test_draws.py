"""Random numbers from seeds: spread as they should be, and unrelated between seeds, purposes and places."""

import pytest
import torch
from scipy import stats

from objectives.training.draws import Purpose, normals, step_seeds, uniforms

MANY = 4096


def seeds_of(trials: int, steps: int) -> torch.Tensor:
    return step_seeds(torch.arange(trials), torch.arange(steps).unsqueeze(1).expand(steps, trials))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_numbers_are_uniform_and_normal(purpose: Purpose) -> None:
    seeds = seeds_of(2, 3)

    for found in uniforms(seeds, MANY, purpose).flatten(0, 1):
        assert found.min() >= 0
        assert found.max() < 1
        assert stats.kstest(found.numpy(), "uniform").pvalue > 1e-3
    for found in normals(seeds, MANY, purpose).flatten(0, 1):
        assert found.isfinite().all()
        assert stats.kstest(found.numpy(), "norm").pvalue > 1e-3


def test_no_two_rows_of_numbers_are_correlated() -> None:
    seeds = seeds_of(5, 6).flatten()
    rows = torch.cat([uniforms(seeds, MANY, purpose) for purpose in Purpose])

    correlations = torch.corrcoef(torch.cat([rows, rows.roll(1, 1)])) - torch.eye(2 * len(rows))

    assert correlations.abs().max() < 6 / MANY**0.5


def test_numbers_depend_on_their_own_seed_alone_and_do_not_change() -> None:
    seeds = seeds_of(3, 4)

    assert uniforms(seeds, 5, Purpose.LABELS)[2, 1].equal(uniforms(seeds[2, 1], 5, Purpose.LABELS))
    assert uniforms(seeds, 5, Purpose.LABELS)[..., :2].equal(uniforms(seeds, 2, Purpose.LABELS))
    assert uniforms(torch.tensor(7), 2, Purpose.AUGMENTATION).tolist() == [0.967102587223053, 0.3018931746482849]

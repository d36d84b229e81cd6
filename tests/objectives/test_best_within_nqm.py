"""The lowest loss within a step budget on the noisy quadratic model, where the optimum is known."""

import tomllib
from contextlib import closing

import numpy as np
import pytest

from tests.working import work_through
from tuner.analysis.nqm import expected_loss, power_law
from tuner.analysis.nqm.model import BINS
from tuner.analysis.summary import StudyResults, results
from tuner.experiment import from_table, preset_text
from tuner.stores.opening import open_store

BUDGET = 200
SIZES = (16, 256, 4096)
GRID = 1.03
"""The last measurement within the budget may be so much earlier, and the loss falls no faster than `1 / steps`."""


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyResults, ...]:
    """The preset, searched for the lowest loss within so many steps at each of these batch sizes."""
    table = tomllib.loads(preset_text("nqm-sgd")) | {"batch_sizes": list(SIZES)}
    table["goal"] = {"metric": "validation/loss", "best": "lowest", "within_steps": BUDGET}
    table["search"] |= {"points": 20, "second_look_points": 0}
    with closing(open_store(f"sqlite:///{tmp_path_factory.mktemp('nqm')}/tuner.db")) as store:
        store.submit(from_table(table))
        work_through(store)
        return results(store.record("nqm-sgd")).studies


def lowest(batch_size: int) -> float:
    """The lowest expected loss after the whole budget: a constant learning rate at which it ends lowest, by a grid."""
    model = power_law(bins=BINS)
    rates = np.geomspace(1e-3, 1.99, 400)
    return min(
        float(expected_loss(model, steps=BUDGET, batch_size=batch_size, learning_rate=float(each))) for each in rates
    )


def test_the_confirmed_loss_is_the_lowest_that_the_model_allows(studies: tuple[StudyResults, ...]) -> None:
    for each in studies:
        assert each.confirmed is not None
        assert 0.999 * lowest(each.batch_size) < each.confirmed.score < GRID * lowest(each.batch_size)


def test_at_a_fixed_number_of_steps_larger_batches_are_better(studies: tuple[StudyResults, ...]) -> None:
    scores = [each.confirmed.score for each in studies if each.confirmed is not None]

    assert len(scores) == len(SIZES)
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 1.3 * scores[-1]

"""Every preset's predictions: at no edge of its box, and within 1 % of known answers and of another optimisation."""

from functools import cache

import numpy as np
import pytest

from objectives.nqm import QuadraticWorkload
from tests.objectives.quadratic_optimum import Model
from tuner.analysis.nqm import Method
from tuner.analysis.scaling.predicted_edges import Predictions, predictions
from tuner.experiment import load

EXACT = 0.01
"""Relative error that a prediction may have."""
PRESETS = ["nqm-sgd", "nqm-adam", "nqm-kfac", "nqm-momentum", "nqm-ema"]
BATCH_SIZES = [4**power for power in range(1, 11)]
KNOWN = {
    "nqm-sgd": {4: 1_508_044, 64: 95_762, 1_024: 10_610, 16_384: 7_448, 1_048_576: 7_269},
    "nqm-adam": {4: 345_705, 64: 21_589, 1_024: 1_367, 16_384: 107, 1_048_576: 85},
}
"""The best of 100 learning rates in Zhang et al. 2019: what a finer search finds is never more."""
FINER = 0.05
"""How much lower a finer search may be: the rates of the grid differ by 14 %."""


@cache
def predicted(name: str) -> Predictions:
    return predictions(load(name))


def steps(name: str, batch_size: int) -> int:
    return int(next(each.score for each in predicted(name).curve.points if each.batch_size == batch_size))


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_no_optimum_is_at_an_edge_of_its_box(name: str) -> None:
    found = predicted(name)

    assert not found.at_box_edge
    for limits in dict(found.experiment.space.ranges()).items():
        for point in found.curve.points:
            assert 0.02 < limits[1].position(float(point.hyperparameters[limits[0]])) < 0.98


@pytest.mark.parametrize("name", KNOWN)
def test_predictions_are_the_known_answers_or_a_little_lower(name: str) -> None:
    for batch_size, known in KNOWN[name].items():
        assert (1 - FINER) * known < steps(name, batch_size) <= known


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # settings that diverge overflow, and count as such
@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("name", PRESETS)
def test_predictions_are_those_of_another_optimisation_over_a_wider_box(name: str, batch_size: int) -> None:
    workload = load(name).build_objective()
    assert isinstance(workload, QuadraticWorkload)
    found = steps(name, batch_size)
    model = Model(batch_size, workload.method is Method.AVERAGE, workload.power, most=max(4 * found // 3, 30))

    fewest = model.fewest_steps(coefficient=workload.method is not Method.SGD)

    assert found == pytest.approx(fewest, rel=EXACT)


def test_the_other_optimisation_has_the_authors_losses() -> None:
    model = Model(1024, averaged=False, power=0.0, most=20_000)

    before, after = model.losses(np.array([1.668]), np.zeros(1), np.array([[10_609.0, 10_610.0]]))[0]

    assert after < 0.01 <= before

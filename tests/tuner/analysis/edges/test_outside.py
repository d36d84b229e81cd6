import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.edges import Side, calibration, table_of
from tests.tuner.analysis.landscapes import LEAST, Landscape, search
from tests.tuner.analysis.quadratic_boxes import BATCH_SIZES, QuadraticBox
from tuner.analysis.edges.outside import Signs, reach
from tuner.analysis.edges.verdicts import check
from tuner.experiment.space import Range, Scale

STEEP = (12.0, 12.0, 12.0, 12.0)
numbers = st.floats(-5, 5)


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        (Range(1e-3, 10.0, scale=Scale.LOG), 1 / 4),
        (Range(0.0, 0.99, scale=Scale.REVERSE_LOG), 1 / 2),
        (Range(0.2, 0.4), 1 / 2),
    ],
)
def test_widening_goes_a_decade_beyond_or_half_a_linear_range(limits: Range, share: float) -> None:
    assert reach(limits) == pytest.approx(share)


@given(numbers, st.floats(0, 1), st.floats(0, 4))
def test_the_chance_is_a_probability_that_grows_with_the_draws(draws: float, few: float, rival: float) -> None:
    chance = Signs(draws, few, rival).chance

    assert 0 < chance < 1
    assert Signs(draws + 1, few, rival).chance > chance
    assert Signs(draws, few + 0.1, rival).chance < chance


def test_the_confidence_is_high_where_the_optimum_is_far_outside_and_low_where_it_is_central() -> None:
    study = search(Landscape((0.5, 1.4, 0.5, 0.5), STEEP, None, math.inf, noise=0.1), seed=1)

    confidence = {each.parameter: each.confidence for each in check(study)}

    assert confidence["b"] > 0.8
    assert max(confidence[name] for name in "acd") < 0.05


def test_gains_of_a_landscape_are_those_of_its_parabola() -> None:
    gains = Landscape((0.5, 1.2, 0.5, -0.7), STEEP, None, math.inf, noise=0.1).gains

    assert gains["b", "high"] == pytest.approx(12 * 0.2**2, abs=1e-3)
    assert gains["d", "low"] == pytest.approx(12 * (0.7**2 - 0.2**2), abs=1e-3)
    assert sum(gain > 1e-3 for gain in gains.values()) == 2


def test_a_box_that_holds_the_optimum_of_the_noisy_quadratic_model_gains_nothing_by_widening() -> None:
    inside = QuadraticBox(BATCH_SIZES[1], (1e-5, 1.0), (0.0, 0.9999), noise=0.0)
    cut = QuadraticBox(BATCH_SIZES[1], (1e-5, 1e-3), (0.0, 0.9), noise=0.0)

    assert max(inside.gains.values()) < 0.02
    assert max(cut.gains, key=lambda side: cut.gains[side]) in {("learning_rate", "high"), ("momentum", "high")}
    assert max(cut.gains.values()) > 1
    assert inside.log_steps({"learning_rate": 1e-3, "momentum": 0.99}) > LEAST


def test_the_table_scores_what_is_outside_and_inside_and_leaves_the_rest_to_the_confidence() -> None:
    sides = [
        Side("synthetic", 50, 0.15, enough=True, gain=1.0, flagged=True, confidence=0.9, probes=8),
        Side("synthetic", 50, 0.15, enough=True, gain=1.0, flagged=False, confidence=0.03, probes=8),
        Side("synthetic", 50, 0.15, enough=True, gain=0.16, flagged=True, confidence=0.9, probes=8),
        Side("synthetic", 50, 0.15, enough=False, gain=0.0, flagged=False, confidence=None, probes=8),
    ]

    row = next(each for each in table_of(sides) if (each.sides, each.points) == ("synthetic", 50))
    bins = calibration(sides)

    assert (row.outside, row.missed, row.inside, row.flagged) == (2, 0.5, 1, 0.0)
    assert [(each.verdicts, each.confidence, each.helps) for each in bins] == [(1, 0.03, 1.0), (2, 0.9, 1.0)]

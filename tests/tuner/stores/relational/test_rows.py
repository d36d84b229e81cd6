import json
import math
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.contracts.stored import plan
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.records import SHOWN, Origin
from tuner.stores.relational.rows import curve_from, intermediate_values, measurement_rows, plan_from, plan_table
from tuner.trial import Measurement

METRICS = ("train/loss", "validation/error")


def curves() -> st.SearchStrategy[tuple[Measurement, ...]]:
    steps = st.sets(st.integers(1, 4000), min_size=1, max_size=60).map(sorted)
    numbers = st.floats(width=64)
    metrics = st.fixed_dictionaries(dict.fromkeys(METRICS, numbers))
    return steps.flatmap(
        lambda each: st.lists(metrics, min_size=len(each), max_size=len(each)).map(
            lambda values: tuple(Measurement(step, value) for step, value in zip(each, values, strict=True))
        )
    )


@given(curves().filter(bool))
def test_curves_survive_as_rows(curve: tuple[Measurement, ...]) -> None:
    rows = measurement_rows(3, curve)

    assert not any(value is not None and math.isnan(value) for *_, value in rows)
    assert repr(curve_from(rows, whole=False)) == repr(curve)


@given(curves())
def test_a_dashboard_gets_few_points_the_ends_among_them(curve: tuple[Measurement, ...]) -> None:
    shown = [each.step for each in intermediate_values(curve, "train/loss")]

    assert len(shown) == min(len(curve), SHOWN)
    assert shown == sorted(set(shown))
    assert {curve[0].step, curve[-1].step} <= set(shown)


@pytest.mark.parametrize(
    ("value", "stored"),
    [(0.5, (0.5, "FINITE")), (math.inf, (None, "INF_POS")), (-math.inf, (None, "INF_NEG")), (math.nan, (None, "NAN"))],
)
def test_a_dashboard_is_told_of_numbers_that_are_not_finite(value: float, stored: tuple[float | None, str]) -> None:
    (shown,) = intermediate_values([Measurement(7, {"train/loss": value})], "train/loss")

    assert shown == (7, *stored)


@pytest.mark.parametrize("origin", [None, Origin(128, 1, 17, ScalingRule.SAME)])
def test_a_plan_survives_as_json(origin: Origin | None) -> None:
    planned = replace(plan(3), origin=origin)

    assert plan_from(json.dumps(plan_table(planned))) == planned


def test_a_plan_without_an_origin_is_stored_as_it_was_before_there_were_any() -> None:
    assert "origin" not in plan_table(plan(3))


def test_a_hyperparameter_may_be_infinite_as_one_of_an_earlier_version() -> None:
    stored = plan_table(plan(3))
    stored["hyperparameters"] = {"clip": math.inf}

    assert plan_from(json.dumps(stored)).hyperparameters == {"clip": math.inf}

"""Measured experiments explained by the noisy quadratic model."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.tuner.synthetic import Workload, digits, experiment_record
from tuner.analysis.nqm import Method
from tuner.analysis.scaling.curve import NotFitted
from tuner.analysis.scaling.explanation import MOST_MOMENTUM, Explanation, explain, measured_curve
from tuner.experiment import Experiment
from tuner.experiment.space import Fixed
from tuner.records import ExperimentRecord, Role
from tuner.reports.figures import draw_scaling
from tuner.reports.findings import findings
from tuner.reports.page import write_report

SIZES = [4, 16, 64, 256, 1024]


def without_momentum() -> Experiment:
    """Digits with plain SGD."""
    full = digits(batch_sizes=SIZES)
    return replace(full, space=full.space.changed({"momentum": Fixed(0.0)}))


@cache
def record() -> ExperimentRecord:
    """Steps to target of `24 (1 + 120 / B)`, with noise."""
    return experiment_record(without_momentum(), Workload(noise=0.03))


@cache
def explanation() -> Explanation:
    found = explain(record())
    assert isinstance(found, Explanation)
    return found


def test_the_model_explains_perfect_scaling_and_its_end() -> None:
    found = explanation()

    assert found.rule.method is Method.SGD
    assert found.residual < 0.25
    assert [each.batch_size for each in found.curve.points] == SIZES
    assert f"{100 * (2**found.residual - 1):.1f} % off the measured steps at 5 batch sizes" in found.sentence


def test_the_explanation_as_json_has_both_curves() -> None:
    found = explanation().to_json()

    rows = found["fitted"]
    assert isinstance(rows, list)
    assert [each["measured"] for each in rows] == [each.score for each in measured_curve(record()).points]
    assert all(each["params"].keys() == {"learning_rate"} for each in rows)
    assert found["model"] == {
        "method": "sgd",
        "noise_scale": explanation().noise_scale,
        "exponent": explanation().exponent,
        "start": explanation().start,
        "target": 0.01,
    }


def test_what_is_not_confirmed_counts_as_searched() -> None:
    full = record()
    first = full.studies[0]
    searched = replace(first, trials=first.finished(Role.SEARCH), complete=False)

    points = measured_curve(replace(full, studies=(searched, *full.studies[1:]))).points

    assert points[0].score == min(each.end.score for each in searched.trials if each.end and each.end.loss < 12)
    assert points[1:] == measured_curve(full).points[1:]


def test_two_batch_sizes_are_too_few() -> None:
    few = replace(record(), studies=record().studies[:2])

    assert explain(few) == NotFitted("A model needs 3 batch sizes that reached the target; 2 batch sizes did.")


def test_the_report_draws_the_model_and_says_how_good_it_is(tmp_path: Path) -> None:
    page = write_report(record(), tmp_path, explanation=explanation()).read_text()

    assert explanation().sentence in page
    assert 'id="model"' in (tmp_path / "scaling.svg").read_text()


def test_the_model_drawn_is_its_curve() -> None:
    found = findings(record())

    figure = draw_scaling(found.curve, found.fit, budgets={}, model=explanation().curve)

    (line,) = [each for each in figure.axes[0].get_lines() if each.get_gid() == "model"]
    assert np.asarray(line.get_xdata()).tolist() == SIZES
    assert np.asarray(line.get_ydata()).tolist() == [each.score for each in explanation().curve.points]


@pytest.mark.slow
def test_a_space_with_momentum_is_explained_by_heavy_ball() -> None:
    full = experiment_record(digits(batch_sizes=[16, 64, 256]), Workload(noise=0.03))

    found = explain(full)

    assert isinstance(found, Explanation)
    assert found.rule.method is Method.HEAVY_BALL
    assert all(float(each.hyperparameters["momentum"]) <= MOST_MOMENTUM for each in found.curve.points)

"""Learning curves of tuned optima, where the curves of the seeds are known."""

import math
from dataclasses import replace

import pytest

from tests.tuner.synthetic import digits, ended, study, trial
from tuner.analysis.practice.learning import LearningCurve, learning_curves
from tuner.records import Curve, CurvesOf, ExperimentRecord, PointRun, Role, no_curves
from tuner.trial import Measurement, Outcome

SETTINGS = {"candidates": 1, "neighbours": False, "choose_seeds": 1, "report_seeds": 3}
POINT = {"learning_rate": 0.1, "momentum": 0.9, "end_factor": 1.0, "decay_steps": 4000.0}


def recorded(*steps: int, missed: int = 0) -> tuple[ExperimentRecord, CurvesOf]:
    """A winner that is reported by seeds with these steps, of which the last ones missed the target.

    The error after step `s` of a seed that takes `n` steps is `0.02 + 0.1 (n - s)`.
    """
    experiment = digits(batch_sizes=[8], confirmation=SETTINGS)
    runs = [PointRun(0, 0, Role.SEARCH, POINT), PointRun(0, 1, Role.CHOOSE, POINT)]
    trials = [trial(number, ended(3), run=each) for number, each in enumerate(runs)]
    for index, (repeat, count) in enumerate(zip(experiment.confirmation.reporting, steps, strict=True)):
        outcome = Outcome.CENSORED if index >= len(steps) - missed else Outcome.ACHIEVED
        trials.append(trial(2 + index, ended(count, outcome=outcome), run=PointRun(0, repeat, Role.REPORT, POINT)))
    found = replace(study(*trials, batch_size=8), complete=True)
    curves: dict[int, Curve] = {
        2 + index: tuple(Measurement(step, {"validation/error": 0.02 + 0.1 * (n - step)}) for step in range(1, n + 1))
        for index, n in enumerate(steps)
    }
    return ExperimentRecord(experiment, (found,)), lambda _size, _round: curves


def only(record: ExperimentRecord, curves: CurvesOf) -> LearningCurve:
    (found,) = learning_curves(record, curves)
    return found


def test_the_median_over_seeds_ends_at_the_confirmed_steps_and_a_seed_that_is_done_keeps_its_last_value() -> None:
    found = only(*recorded(2, 4, 5))

    assert (found.batch_size, found.seeds) == (8, 3)
    assert found.steps == (1, 2, 3, 4)
    assert found.middle == pytest.approx((0.32, 0.22, 0.12, 0.02))
    assert found.best == pytest.approx((0.12, 0.02, 0.02, 0.02))
    assert found.worst == pytest.approx((0.42, 0.32, 0.22, 0.12))
    assert found.are_whole == (True,) * 4


def test_where_a_seed_was_measured_in_part_the_curve_is_an_estimate() -> None:
    record, curves = recorded(2, 4, 5)
    partly = dict(curves(8, 1))
    partly[4] = tuple(replace(each, partial={"validation/error": 64} if each.step < 3 else {}) for each in partly[4])

    found = only(record, lambda _size, _round: partly)

    assert found.are_whole == (False, False, True, True)


def test_a_curve_whose_seeds_mostly_missed_the_target_is_drawn_to_its_end() -> None:
    assert only(*recorded(2, 4, 5, missed=2)).steps == (1, 2, 3, 4, 5)


def test_without_curves_there_is_nothing_to_draw() -> None:
    assert learning_curves(recorded(2, 4, 5)[0], no_curves) == ()


def test_a_value_that_is_no_number_is_worst_also_where_higher_is_better() -> None:
    record, curves = recorded(5, 5, 5)
    goal = {"metric": "validation/error", "above": 0.01, "within_steps": 4000}
    experiment = digits(batch_sizes=[8], confirmation=SETTINGS, goal=goal)
    broken = dict(curves(8, 1))
    broken[2] = tuple(Measurement(each.step, {"validation/error": math.nan}) for each in broken[2])

    found = only(replace(record, experiment=experiment), lambda _size, _round: broken)

    assert all(map(math.isfinite, (*found.best, *found.middle)))
    assert all(map(math.isnan, found.worst))

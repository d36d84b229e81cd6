"""Trends of held-out metrics over batch size: known lines are found, and nothing is claimed of noise."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.tuner.synthetic import digits, experiment_record
from tuner.analysis.generalisation import (
    Generalisation,
    HeldOut,
    HeldOutPoint,
    Trend,
    generalisation,
    trend,
)
from tuner.analysis.optimum.confirmation import confirm
from tuner.records import ExperimentRecord, Role, TrialRecord
from tuner.trial import Outcome

SIZES = tuple(2**power for power in range(1, 11))


def points(*, change: float, of_seeds: float, of_searches: float, generator: np.random.Generator) -> list[HeldOutPoint]:
    """A line over log batch size from 0.03, with five seeds around a point that each search has found."""
    found = []
    for index, size in enumerate(SIZES):
        centre = 0.03 + change * index / (len(SIZES) - 1) + of_searches * generator.standard_normal()
        found.append(HeldOutPoint(size, tuple(centre + of_seeds * generator.standard_normal(5))))
    return found


def test_a_line_is_found_exactly() -> None:
    found = trend(points(change=0.009, of_seeds=0.0, of_searches=0.0, generator=np.random.default_rng(0)))

    assert found is not None
    assert (found.change, found.low, found.high) == pytest.approx((0.009, 0.009, 0.009))
    assert found.is_certain


@pytest.mark.parametrize(("of_seeds", "of_searches"), [(0.004, 0.0), (0.001, 0.003)])
def test_intervals_hold_the_change_as_often_as_they_say(of_seeds: float, of_searches: float) -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        noisy = points(change=0.002, of_seeds=of_seeds, of_searches=of_searches, generator=generator)
        found = trend(noisy)
        assert found is not None
        held += found.low <= 0.002 <= found.high

    assert held / 200 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 200)


def test_two_batch_sizes_have_no_trend() -> None:
    few = points(change=0.01, of_seeds=0.001, of_searches=0.0, generator=np.random.default_rng(0))[:2]

    assert trend(few) is None
    assert told("test/error", None, few).verdict == "A trend of test/error needs 3 batch sizes; 2 batch sizes have one."


def told(
    name: str, found: Trend | None, held_out: list[HeldOutPoint] | None = None, *, tuned: bool = True
) -> Generalisation:
    """What is said of a trend."""
    shown = tuple(held_out or [HeldOutPoint(2, (0.1,)), HeldOutPoint(64, (0.1,)), HeldOutPoint(512, (0.1,))])
    about = HeldOut(name, name, name == "test/accuracy", shown, found)
    return Generalisation(about, None, (), is_tuned=tuned)


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("test/error", Trend(0.01, 0.005, 0.015), "Large batches generalise worse here"),
        ("test/error", Trend(-0.01, -0.015, -0.005), "Large batches generalise better here"),
        ("test/accuracy", Trend(0.01, 0.005, 0.015), "Large batches generalise better here"),
        ("test/accuracy", Trend(-0.01, -0.015, -0.005), "Large batches generalise worse here"),
        ("test/error", Trend(0.01, -0.005, 0.025), "No gap is seen once each batch size is tuned"),
    ],
)
def test_the_verdict_says_no_more_than_the_interval(name: str, found: Trend, said: str) -> None:
    verdict = told(name, found).verdict

    assert verdict.startswith(said)
    assert f"{name} changes by {found.change:+.2g} (95 % interval {found.low:+.2g} to {found.high:+.2g})" in verdict
    assert "from batch size 2 to 512" in verdict
    assert verdict.endswith("A gap of up to 0.025 is not ruled out.") is (found.low < 0 < found.high)


def test_what_was_not_tuned_is_not_said_to_be() -> None:
    assert "tuned" not in told("test/error", Trend(0.01, -0.005, 0.025), tuned=False).verdict


def winners(record: ExperimentRecord, size: int) -> list[TrialRecord]:
    """The reporting trials of a batch size's winner."""
    study = next(each for each in record.studies if each.batch_size == size)
    confirmed = confirm(study, record.experiment.confirmation)
    assert confirmed is not None
    return [each for each in study.finished(Role.REPORT) if each.plan.point == confirmed.point]


def with_finals(record: ExperimentRecord, **added: float) -> ExperimentRecord:
    """The record with more metrics where trials ended, named with `_` for `/`."""
    metrics = {name.replace("_", "/"): value for name, value in added.items()}

    def more(trial: TrialRecord) -> TrialRecord:
        assert trial.end is not None
        return replace(trial, end=replace(trial.end, final={**trial.end.final, **metrics}))

    studies = (replace(each, trials=tuple(map(more, each.trials))) for each in record.studies)
    return replace(record, studies=tuple(studies))


@pytest.fixture(scope="module")
def record() -> ExperimentRecord:
    return experiment_record(digits(batch_sizes=[4, 32, 256]))


def test_the_reporting_seeds_of_winners_are_compared_and_no_other_trial(record: ExperimentRecord) -> None:
    found = generalisation(record)

    assert found is not None
    assert found.metric is not None
    assert found.metric.name == "test/error"
    assert [each.batch_size for each in found.metric.points] == [4, 32, 256]
    for each in found.metric.points:
        ends = [trial.end for trial in winners(record, each.batch_size)]
        assert each.per_seed == tuple(end.final["test/error"] for end in ends if end is not None)
        assert len(each.per_seed) == record.experiment.confirmation.report_seeds
    assert found.gap is None  # there is a training loss, and no other
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["quantities"][0]["name"] == "test/error"


def test_a_winner_that_is_reported_again_in_a_second_look_counts_once(record: ExperimentRecord) -> None:
    again = [
        replace(each, round=2, earlier=(each,), trials=tuple(replace(trial, round=2) for trial in each.trials))
        for each in record.studies
    ]
    found = generalisation(replace(record, studies=tuple(again)))

    assert found is not None
    assert found.metric is not None
    assert [len(each.per_seed) for each in found.metric.points] == [5, 5, 5]


def test_a_held_out_loss_is_compared_with_that_of_training(record: ExperimentRecord) -> None:
    validated = generalisation(with_finals(record, validation_loss=0.08))
    tested = generalisation(with_finals(record, validation_loss=0.08, test_loss=0.09))

    assert validated is not None
    assert validated.gap is not None
    assert validated.gap.name == "validation/loss - train/loss"
    assert validated.gap.title == "validation minus training loss"
    assert validated.lacks_test
    assert validated.gap.points[0].middle == pytest.approx(0.03)
    assert tested is not None
    assert tested.gap is not None
    assert tested.gap.name == "test/loss - train/loss"
    assert tested.gap.points[0].middle == pytest.approx(0.04)


def test_seeds_that_missed_the_target_are_left_out_and_named(record: ExperimentRecord) -> None:
    missing = winners(record, 32)[0]

    def missed(trial: TrialRecord) -> TrialRecord:
        if trial != missing or trial.end is None:
            return trial
        return replace(trial, end=replace(trial.end, outcome=Outcome.CENSORED))

    studies = (replace(each, trials=tuple(map(missed, each.trials))) for each in record.studies)
    found = generalisation(replace(record, studies=tuple(studies)))

    assert found is not None
    assert found.metric is not None
    assert found.missed == (32,)
    assert [len(each.per_seed) for each in found.metric.points] == [5, 4, 5]


def test_without_a_held_out_metric_there_is_nothing_to_say(record: ExperimentRecord) -> None:
    assert generalisation(replace(record, studies=())) is None

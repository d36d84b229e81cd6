"""Other targets and metrics are answered from the reporting trials as the noisy quadratic model says exactly."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.tuner.analysis.curves.quadratic import MODEL, RULE, SIZES, TEST_FACTOR, Quadratic, quadratic_experiment
from tuner.analysis.curves.choices import Choice, Choices, choices
from tuner.analysis.curves.reports import Level, crossing, levels
from tuner.analysis.nqm import optimal, steps_to_target
from tuner.analysis.optimum.confirmation import reports
from tuner.analysis.scaling.curve import ScalingFit, ScalingPoint, fit, scaling_curve
from tuner.objective import Target
from tuner.records import no_curves
from tuner.trial import Measurement

GOAL = {"metric": "validation/loss", "below": 0.01, "within_steps": 200_000}
TEST_STEPS = tuple(2**each for each in range(18))


@cache
def quadratic(*, noise: float = 0.0, listed: tuple[float, ...] = ()) -> Quadratic:
    goal = GOAL | ({"also_below": list(listed)} if listed else {})
    return Quadratic(quadratic_experiment(goal), noise=noise, test_steps=TEST_STEPS)


def found(what: Quadratic) -> Choices:
    answer = choices(what.record(), what.read)
    assert answer is not None
    return answer


@cache
def fewest(batch_size: int, target: float) -> int:
    """The fewest steps to a validation loss that any learning rate takes."""
    steps = optimal(MODEL, RULE, batch_size=batch_size, target=target).steps
    assert isinstance(steps, int)
    return steps


def exactly(choice: Choice, point: ScalingPoint) -> float:
    """Steps to the target of a choice: the fewest, or with the hyperparameters of the goal's winner."""
    if choice.is_tuned:
        return fewest(point.batch_size, choice.target.value)
    steps = steps_to_target(
        MODEL,
        RULE,
        batch_size=point.batch_size,
        learning_rate=float(point.hyperparameters["learning_rate"]),
        target=choice.target.value / (TEST_FACTOR if choice.metric == "test/loss" else 1),
    )
    assert isinstance(steps, int)
    return steps + (choice.metric == "train/loss")


def test_steps_to_every_target_and_metric_are_those_of_the_model() -> None:
    what = quadratic()
    record = what.record()
    answer = choices(record, what.read)
    assert answer is not None

    assert [each.metric for each in answer.every] == 5 * ["validation/loss"] + ["test/loss", "train/loss"]
    assert [each.is_tuned for each in answer.every] == [False, True, True, True, True, False, False]
    assert [each.score for each in answer.own.curve.points] == [each.score for each in scaling_curve(record).points]
    for choice in answer.every:
        assert [each.batch_size for each in choice.curve.points] == list(SIZES)
        for point in choice.curve.points[:: 2 if choice.is_tuned else 1]:
            assert point.score == pytest.approx(exactly(choice, point), rel=0.03), choice.phrase
        fitted = fit(choice.curve)
        assert isinstance(fitted, ScalingFit)
        assert choice.critical is not None
        assert choice.critical.value == pytest.approx(fitted.critical_batch_size)
    moves = [each.move.value for each in answer.others[:3] if each.move is not None]
    assert moves == sorted(moves, reverse=True)
    assert moves[-1] < 0.15  # a weak target of this model hardly needs large batches


def test_a_certain_move_of_the_critical_batch_size_is_a_warning() -> None:
    """Without noise every move is certain; one below a tenth changes no conclusion."""
    answer = found(quadratic())

    for each in answer.others:
        assert each.move is not None
        assert each.move.low == each.move.value == each.move.high
        assert each.is_other == (max(each.move.value, 1 / each.move.value) > 1.1)
    assert answer.own.move is None
    assert not answer.own.is_other


def test_what_seeds_do_not_tell_apart_is_no_warning() -> None:
    answer = found(quadratic(noise=0.5))

    for each in answer.others:
        assert each.move is not None
        assert each.move.low is not None
        assert each.move.high is not None
        assert each.move.low <= each.move.value <= each.move.high
        assert each.is_other == (
            not each.move.low <= 1 <= each.move.high and abs(math.log(each.move.value)) > math.log(1.1)
        )
    assert len(answer.moved) < len(answer.others)


def test_one_seed_tells_no_move_for_certain() -> None:
    experiment = quadratic_experiment(GOAL)
    one = replace(experiment, confirmation=replace(experiment.confirmation, report_seeds=1))
    answer = found(Quadratic(replace(one, objective={**one.objective, "noise": "sampled"})))

    assert all(each.critical is not None and each.critical.low is None for each in answer.every)
    assert all(each.move is not None and each.move.low is None for each in answer.others)
    assert not answer.moved


def test_one_seed_of_an_exact_workload_tells_every_move() -> None:
    experiment = quadratic_experiment(GOAL)
    one = replace(experiment, confirmation=replace(experiment.confirmation, report_seeds=1))
    answer = found(Quadratic(one))

    assert answer.why_no_interval == "exact, the same for every seed"
    assert all(each.move is not None and each.move.low == each.move.value == each.move.high for each in answer.others)


def test_a_reporting_seed_that_never_measured_the_goal_is_no_first_measurement() -> None:
    what = Quadratic(quadratic_experiment(GOAL))
    record = what.record()
    reporting = {each.batch_size: reports(each, record.experiment.confirmation)[0].number for each in record.studies}
    broken = {
        size: {number: () if number == reporting[size] else curve for number, curve in curves.items()}
        for size, curves in what.curves.items()
    }

    answer = choices(record, lambda size, _round: broken[size])

    assert answer is not None
    assert [each.score for each in answer.own.curve.points] == [each.score for each in found(what).own.curve.points]


def test_targets_of_the_file_take_the_place_of_chosen_ones() -> None:
    answer = found(quadratic(listed=(0.02, 0.05)))

    own = [each for each in answer.every if each.metric == "validation/loss"]
    assert [each.target.value for each in own] == [0.01, 0.01, 0.02, 0.05]
    assert [each.estimated for each in own] == [0, 0, 0, 0]


def test_the_other_metrics_targets_were_passed_by_all_reporting_trials_and_hardly_harder_ones_were() -> None:
    what = quadratic(noise=0.5)
    answer = found(what)

    for each in answer.others:
        assert all(math.isfinite(seed) for point in each.curve.points for seed in (point.score, *point.per_seed))
    (test,) = (each for each in answer.others if each.metric == "test/loss")
    (validation,) = (each for each in answer.others if each.metric == "validation/loss" and each.target.value < 0.05)
    assert TEST_FACTOR * 0.008 < test.target.value < validation.target.value
    assert test.estimated == 5 * len(SIZES)  # it is measured at few steps


def test_nothing_is_said_without_curves_or_without_a_target() -> None:
    best = Quadratic(quadratic_experiment({"metric": "validation/loss", "best": "lowest", "within_steps": 50}))

    assert choices(quadratic().record(), no_curves) is None
    assert choices(best.record(), best.read) is None


def measured(
    *values: tuple[int, float], partial: tuple[int, ...] = (), metric: str = "validation/error"
) -> tuple[Measurement, ...]:
    """A curve from steps and values, some of them estimates."""
    return tuple(Measurement(step, {metric: each}, {metric: 512} if step in partial else {}) for step, each in values)


@pytest.mark.parametrize(
    ("is_judged", "steps", "is_exact"),
    [(True, 8, True), (False, 4, False)],  # an estimate does not pass a target that measurements ended early for
)
def test_an_estimate_passes_only_targets_that_measurements_did_not_end_for(
    is_judged: bool, steps: int, is_exact: bool
) -> None:
    curve = measured((1, 0.9), (2, 0.3), (4, 0.09), (8, 0.05), partial=(2, 4))

    answer = crossing(levels(curve, "validation/error", 16), Target(0.1), is_judged=is_judged, is_sparse=False)

    assert (answer.steps, answer.is_exact) == (steps, is_exact)


def test_whole_measurements_are_exact_for_every_target() -> None:
    curve = measured((1, 0.9), (2, 0.3), (4, 0.09))

    answer = crossing(levels(curve, "validation/error", 16), Target(0.5), is_judged=False, is_sparse=False)
    above = crossing(levels(curve, "validation/error", 16), Target(0.95, above=True), is_judged=False, is_sparse=False)

    assert (answer.steps, answer.is_exact) == (2, True)
    assert above.steps == math.inf


def test_a_crossing_between_measurements_that_lie_far_apart_follows_a_power_law() -> None:
    values = [Level(step, 10 / step, is_whole=True) for step in (1, 100)]

    answer = crossing(values, Target(1.0), is_judged=False, is_sparse=True)

    assert answer.steps == pytest.approx(10)
    assert not answer.is_exact


def test_a_training_loss_is_a_mean_over_at_least_256_examples_at_every_batch_size() -> None:
    generator = np.random.default_rng(0)
    curve = measured(*((step, 1 + generator.choice([-0.9, 0.9])) for step in range(1, 400)), metric="train/loss")

    small, large = (levels(curve, "train/loss", size) for size in (2, 256))

    assert [each.value for each in large] == [each.metrics["train/loss"] for each in curve]
    last = [each.metrics["train/loss"] for each in curve[-128:]]
    assert small[-1].value == pytest.approx(np.mean(last))
    assert small[1].value == pytest.approx(np.mean([each.metrics["train/loss"] for each in curve[:2]]))
    assert not small[-1].is_whole

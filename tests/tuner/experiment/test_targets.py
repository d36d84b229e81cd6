"""A goal's targets: below or above, with weaker ones beside it, and what they ask of measurements."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toy import TOY
from tests.tuner.experiment.test_files import changed, problems
from tuner.experiment import from_table, load, parse
from tuner.experiment.definition import MeasuringSettings
from tuner.experiment.goals import ReachTarget
from tuner.experiment.step_grids import log_spaced
from tuner.objective import MeasuringPlan, Target
from tuner.trial import Measurement, Outcome, TrialResult


def measured(step: int, value: float, **partial: int) -> Measurement:
    return Measurement(step, {"train/loss": 1 / step, "validation/accuracy": value}, partial)


ABOVE = ReachTarget("validation/accuracy", Target(0.97, above=True), within_steps=1000)


def test_a_target_above_must_be_passed_not_met() -> None:
    assert ABOVE.judge([measured(1, 0.97)]) is None
    result = ABOVE.judge([measured(1, 0.97), measured(2, 0.9701)])

    assert result is not None
    assert (result.outcome, result.steps) == (Outcome.ACHIEVED, 2)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30))
def test_accuracy_above_is_judged_as_error_below(errors: list[int]) -> None:
    """In steps of 1 %, as sampler and early stopping see it."""
    below = ReachTarget("validation/accuracy", Target(0.03), within_steps=25)
    above = ReachTarget("validation/accuracy", Target(0.97, above=True), within_steps=25)
    wrong = [measured(step, each / 100) for step, each in enumerate(errors, start=1)]
    right = [measured(step, (100 - each) / 100) for step, each in enumerate(errors, start=1)]

    def end(goal: ReachTarget, curve: list[Measurement]) -> TrialResult | None:
        found = (goal.judge(curve[:many], optimism=2) for many in range(1, len(curve) + 1))
        return next((each for each in found if each is not None), None)

    one, other = end(below, wrong), end(above, right)
    assert (one and (one.outcome, one.steps)) == (other and (other.outcome, other.steps))
    if one and other:
        assert above.loss(other) == pytest.approx(below.loss(one))


def test_a_target_above_one_is_approached_as_its_inverse() -> None:
    target = Target(30.0, above=True)

    assert [target.distance(value) for value in (10.0, 30.0, 0.0)] == [0.1, 1 / 30, float("inf")]


def test_an_estimate_never_reaches_a_target() -> None:
    below = ReachTarget("validation/accuracy", Target(0.5), within_steps=10)
    estimate = Measurement(1, {"train/loss": 1.0, "validation/accuracy": 0.1}, {"validation/accuracy": 512})

    assert below.judge([estimate]) is None


ONE_TARGET = 'needs one target: below = 0.03 or above = 0.97; or best = "lowest" without any'


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", f"goal: {ONE_TARGET}"),
        ("below = 0.03\nabove = 0.97", f"goal: {ONE_TARGET}"),
        ("below = 0.03\nalso_below = [0.1, 0.03]", "goal: also_below holds 0.03: no weaker than the target below 0.03"),
        ("above = 0.9\nalso_above = [0.95]", "goal: also_above holds 0.95: no weaker than the target above 0.9"),
        ("above = 0.9\nalso_below = [0.1]", "goal: also_below does not go with a target above 0.9; use also_above"),
    ],
)
def test_targets_that_make_no_sense_are_refused(given: str, message: str) -> None:
    assert problems(changed(("below = 0.03", given))) == [f"toy.toml: {message}"]


def test_weaker_targets_are_ordered_and_survive_being_stored() -> None:
    experiment = parse(changed(("below = 0.03", "below = 0.03\nalso_below = [0.05, 0.3, 0.1]")), source="toy.toml")

    assert [each.value for each in experiment.goal.targets] == [0.3, 0.1, 0.05, 0.03]
    assert from_table(experiment.to_table()) == experiment


def test_settings_that_are_left_out_do_not_change_what_an_experiment_is() -> None:
    """The digest of the preset as version 0.1 had and computed it: with the defaults of that version."""
    assert parse(TOY, source="toy.toml").digest == from_table(parse(TOY, source="toy.toml").to_table()).digest
    digits = load("digits")
    confirmation = replace(digits.confirmation, candidates=3, choose_seeds=5)
    assert replace(digits, confirmation=confirmation).digest.startswith(DIGITS_DIGEST)
    assert not digits.digest.startswith(DIGITS_DIGEST)


DIGITS_DIGEST = "fc992535d07c1af2"


def test_a_plan_asks_for_the_next_target_and_for_test_metrics_at_its_steps() -> None:
    goal = parse(changed(("below = 0.03", "below = 0.03\nalso_below = [0.1]")), source="toy.toml").goal
    plan = MeasuringSettings(test_steps=3).plan(goal, 8, reports=True)

    assert plan == MeasuringPlan("validation/error", (Target(0.1), Target(0.03)), (1, 20, 400), 400)
    assert [plan.reached(value, already=already) for value, already in ((0.5, 0), (0.05, 0), (0.5, 1), (0.01, 0))] == [
        0, 1, 1, 2,
    ]  # fmt: skip
    assert [plan.wants_test(*steps) for steps in ((0, 1), (1, 2), (19, 20), (18, 21), (20, 400))] == [
        True, False, True, True, True,
    ]  # fmt: skip


def test_a_search_measures_test_metrics_at_its_end_only_and_always_means_always() -> None:
    goal = parse(TOY, source="toy.toml").goal

    assert MeasuringSettings().plan(goal, 8, reports=False).test_steps == ()
    assert MeasuringSettings(test_steps=0).plan(goal, 8, reports=True).test_steps == ()
    for reports in (False, True):
        assert MeasuringSettings(test_steps="always").plan(goal, 8, reports=reports).test_steps is None
        assert MeasuringSettings(until_certain=False).plan(goal, 8, reports=reports).targets == ()


@given(st.integers(1, 10**7), st.integers(0, 40))
def test_steps_are_spread_from_the_first_to_the_last(last: int, many: int) -> None:
    steps = log_spaced(last, many)

    assert len(steps) <= many
    assert list(steps) == sorted(set(steps))
    assert many < 2 or (steps[0], steps[-1]) == (1, last)


@pytest.mark.parametrize("given", ["-1", '"never"', "1.5"])
def test_test_steps_are_a_number_or_always(given: str) -> None:
    (found,) = problems(TOY + f"\n[measuring]\ntest_steps = {given}\n")

    assert found.startswith("toy.toml: measuring.test_steps")

"""The best value within a budget: when trials end, what the sampler is told, and how scores are shown."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toy import TOY
from tests.tuner.experiment.test_files import changed, problems
from tuner.errors import ConfigError
from tuner.experiment import parse
from tuner.experiment.goals import Best, BestValue, BestWithin, Goal, span
from tuner.experiment.growth import differences
from tuner.trial import Failure, Measurement, Outcome, TrialResult, score_of

ERROR = BestValue("validation/error", Best.LOWEST, 0.0)
ACCURACY = BestValue("validation/accuracy", Best.HIGHEST, 1.0)
BLEU = BestValue("validation/bleu", Best.HIGHEST, math.inf)
GOAL = BestWithin(ERROR, within_steps=4)
BEST = ("below = 0.03", 'best = "lowest"')


def curve(*errors: float, metric: str = "validation/error") -> list[Measurement]:
    """Measurements at successive steps; the training loss falls."""
    return [Measurement(step, {"train/loss": 1 / step, metric: each}) for step, each in enumerate(errors, start=1)]


def ended(goal: Goal, measured: list[Measurement]) -> TrialResult:
    result = goal.judge(measured)
    assert result is not None
    return result


def score(goal: Goal, result: TrialResult) -> float:
    return score_of(result.outcome, steps=result.steps, loss=goal.loss(result))


def test_a_trial_is_trained_for_the_whole_budget_and_its_best_value_counts() -> None:
    assert GOAL.judge(curve(0.5, 0.0, 0.3)) is None

    result = ended(GOAL, curve(0.5, 0.1, 0.3, 0.2))

    assert (result.outcome, result.steps, result.spent, result.limit) == (Outcome.FINISHED, 2, 4, 4)
    assert score(GOAL, result) == pytest.approx(0.1, rel=1e-14)


def test_of_equal_values_the_first_counts() -> None:
    assert ended(GOAL, curve(0.5, 0.1, 0.3, 0.1)).steps == 2


def test_what_was_measured_after_the_budget_does_not_count() -> None:
    late = [*curve(0.5, 0.4, 0.3), Measurement(5, {"train/loss": 0.1, "validation/error": 0.2})]

    result = ended(GOAL, late)

    assert (result.outcome, result.steps) == (Outcome.FINISHED, 3)
    assert score(GOAL, result) == pytest.approx(0.3)


def test_an_estimate_from_a_part_of_the_split_does_not_count() -> None:
    measured = curve(0.5, 0.1, 0.3, 0.2)
    measured[1] = replace(measured[1], partial={"validation/error": 512})

    assert ended(GOAL, measured).steps == 4


def test_a_trial_without_a_value_within_the_budget_has_no_score() -> None:
    nothing = [Measurement(step, {"train/loss": 1.0}) for step in range(1, 5)]

    result = ended(GOAL, [*nothing[:3], Measurement(4, {"train/loss": 1.0, "validation/error": math.nan})])

    assert result.outcome is Outcome.CENSORED
    assert math.isinf(score(GOAL, result))
    assert math.isfinite(GOAL.loss(result))


def test_the_highest_value_may_be_the_best() -> None:
    goal = BestWithin(ACCURACY, within_steps=3)

    result = ended(goal, curve(0.1, 0.97, 0.9, metric="validation/accuracy"))

    assert result.steps == 2
    assert ACCURACY.value(score(goal, result)) == 0.97


def test_losses_are_finite_and_order_the_outcomes() -> None:
    """A trial that learns nothing is better than one that diverges, which is better than one that raises an error."""
    idle = ended(GOAL, curve(0.9, 0.9, 0.9, 0.9))
    diverged = TrialResult(Outcome.INFEASIBLE, 3, 4, tuple(curve(0.9, 0.2, math.nan)))
    broken = GOAL.fail(curve(0.9, 0.2), Failure("ValueError: too small"))

    losses = [GOAL.loss(each) for each in (ended(GOAL, curve(0.9, 0.2, 0.9, 0.9)), idle, diverged, broken)]

    assert losses == sorted(set(losses))
    assert losses[2] == pytest.approx(math.log2(2 * 0.9))
    assert losses[3] == pytest.approx(math.log2(8 * 0.9))
    assert math.isfinite(GOAL.loss(GOAL.fail([], Failure("ValueError: too small"))))


def test_an_interval_of_negative_values_can_be_read() -> None:
    assert span(BestValue("validation/score", Best.LOWEST, -20.0), (9.9, 9.5)) == "-10.5 to -10.1"


def test_a_diverged_trial_ends_at_once_and_has_no_score() -> None:
    result = ended(GOAL, [Measurement(1, {"train/loss": math.nan, "validation/error": 0.1})])

    assert (result.outcome, result.steps) == (Outcome.INFEASIBLE, 1)
    assert math.isinf(score(GOAL, result))


def power_law(exponent: float, *, steps: int) -> list[Measurement]:
    return curve(*(step**-exponent for step in range(1, steps + 1)))


def test_a_trial_is_cut_if_it_cannot_become_the_best_however_optimistic_one_is() -> None:
    """Of `1 / sqrt(t)` a decade of steps is left at step 100, in which it would have to fall by a decade, not half."""
    goal, measured = BestWithin(ERROR, within_steps=1000), power_law(0.5, steps=100)

    def judged(optimism: float, incumbent: float | None = 0.01) -> TrialResult | None:
        return goal.judge(measured, incumbent=incumbent, optimism=optimism)

    cut = judged(1.9)
    assert cut is not None
    assert (cut.outcome, cut.steps, cut.limit) == (Outcome.CENSORED, 100, 1000)
    assert goal.loss(cut) == pytest.approx(math.log2(0.1))
    assert judged(2.1) is None
    assert judged(math.inf) is None
    assert judged(1.9, incumbent=None) is None
    assert judged(1.9, incumbent=0.2) is None


def test_no_cap_ends_a_trial() -> None:
    assert GOAL.judge(curve(0.5, 0.4), cap=1.0, incumbent=0.001) is None


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        (ERROR, (0.9, 21 / 700, 0.0123, 0.0)),
        (ACCURACY, (0.1, 0.9, 679 / 700, 1.0)),
        (BLEU, (0.5, 17.25, 31.4)),
        (BestValue("validation/score", Best.LOWEST, -5.0), (3.5, -4.9)),
        (BestValue("validation/percent", Best.HIGHEST, 100.0), (12.5, 99.9)),
    ],
)
def test_scores_order_values_and_are_shown_as_them(unit: BestValue, values: tuple[float, ...]) -> None:
    scores = [unit.distance(each) for each in values]

    assert scores == sorted(scores, reverse=True)
    assert [unit.value(2 ** math.log2(each)) for each in scores] == pytest.approx(values, rel=1e-11)
    low, high = unit.ends(min(scores), max(scores))
    assert low < high


@given(st.floats(1e-9, 1.0), st.floats(1e-9, 1.0))
def test_better_values_have_better_scores(one: float, other: float) -> None:
    assert (ERROR.distance(one) <= ERROR.distance(other)) == (one <= other)
    if one != other and abs(one - other) > 1e-9:
        assert (ACCURACY.distance(one) < ACCURACY.distance(other)) == (one > other)


def test_a_value_beyond_the_ideal_is_objected_to() -> None:
    said: Callable[[BestValue, float], str] = lambda unit, value: BestWithin(unit, 4).objection(value)  # noqa: E731

    assert said(ACCURACY, 31.4).startswith("better than 1, which the goal takes for the ideal; give goal.ideal")
    assert said(ERROR, -0.1).startswith("better than 0")
    assert [said(ACCURACY, 1.0000001), said(ERROR, 0.0), said(BLEU, 31.4), said(ERROR, math.nan)] == [""] * 4
    assert said(BLEU, -0.1).startswith("but with goal.ideal = inf it must be finite and not below 0; give goal.ideal")
    assert said(BLEU, math.inf)
    assert [said(BLEU, each) for each in (0.0, math.nan, -math.inf)] == [""] * 3


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (ACCURACY, 0.9987123, "0.998712"),
        (ACCURACY, 0.5, "0.5"),
        (ACCURACY, 1.0, "1"),
        (ACCURACY, 0.00001, "1e-05"),
        (ERROR, 0.0123456, "0.01235"),
        (ERROR, 0.0, "0"),
        (BLEU, 31.41592, "31.42"),
        (BLEU, 0.0, "0"),
        (BestValue("validation/percent", Best.HIGHEST, 100.0), 99.987654, "99.98765"),
    ],
)
def test_a_value_is_shown_with_four_digits_of_its_distance(unit: BestValue, value: float, text: str) -> None:
    assert unit.text(unit.distance(value)) == text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            'below = 0.03\nbest = "lowest"',
            'goal: has both below and best = "lowest"; a goal has a target or a best value',
        ),
        (
            'above = 0.9\nbest = "highest"',
            'goal: has both above and best = "highest"; a goal has a target or a best value',
        ),
        (
            'best = "lowest"\nalso_below = [0.1]',
            'goal: has both also_below and best = "lowest"; a goal has a target or a best value',
        ),
        ('best = "smallest"', "goal.best: should be 'lowest' or 'highest', not 'smallest'"),
        ('best = "lowest"\nideal = inf', 'goal: ideal = inf does not go with best = "lowest"; give a finite number'),
        ("below = 0.03\nideal = 0.5", 'goal: ideal goes with best = "lowest" or "highest", and not with a target'),
    ],
)
def test_goals_that_make_no_sense_are_refused_in_one_line(given: str, message: str) -> None:
    assert problems(changed(("below = 0.03", given))) == [f"toy.toml: {message}"]


def test_a_test_metric_is_refused() -> None:
    (line,) = problems(changed(BEST, ('"validation/error"', '"test/error"')))

    assert "test/error must stay unseen by the search" in line


def test_a_file_says_which_value_is_best_and_measurements_never_end_early() -> None:
    experiment = parse(changed(BEST), source="toy.toml")

    assert experiment.goal.at(8) == BestWithin(ERROR, 400, 8)
    assert experiment.goal.phrase == experiment.goal.unit.symbol == "lowest validation/error"
    assert experiment.measuring.plan(experiment.goal, 8, reports=False).targets == ()
    with pytest.raises(ValueError, match="lowest validation/error has no target"):
        _ = experiment.goal.target


def test_experiments_with_a_target_are_still_known_by_their_digest() -> None:
    """As the version before had it, whose settings had no such keys."""
    assert parse(TOY, source="toy.toml").digest == DIGEST


DIGEST = "bbec66702187d84863adf8ff4df7a3ecaf026243c86bdff10e54dfd8ff96f623"


def test_another_budget_would_be_another_question() -> None:
    stored = parse(changed(BEST), source="toy.toml")
    longer = replace(stored, goal=replace(stored.goal, within_steps=800))
    targets = parse(TOY, source="toy.toml")

    assert [each.adds for each in differences(stored, longer)] == [False]
    assert [
        each.adds for each in differences(targets, replace(targets, goal=replace(targets.goal, within_steps=800)))
    ] == [True]


def test_settings_are_told_as_a_file_has_them() -> None:
    stored = parse(changed(BEST), source="toy.toml")
    highest = replace(stored, goal=replace(stored.goal, best=Best.HIGHEST))

    assert [each.phrase for each in differences(stored, highest)] == ["goal.best = 'lowest', now 'highest'"]


def test_an_ideal_that_is_the_default_is_no_other_setting() -> None:
    stored, written = (parse(changed(("below = 0.03", f'best = "lowest"{more}')), source="toy.toml") for more in IDEALS)

    assert differences(stored, written) == []
    assert stored.digest == written.digest


IDEALS = ("", "\nideal = 0.0")


def test_an_unknown_ideal_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"goal\.ideal"):
        parse(changed(("below = 0.03", 'best = "highest"\nideal = "one"')), source="toy.toml")

"""Values within fixed budgets are those of the noisy quadratic model."""

from dataclasses import replace
from functools import cache

import pytest

from tests.tuner.analysis.curves.quadratic import MODEL, RATES, RULE, SIZES, Quadratic, quadratic_experiment
from tuner.analysis.curves.budgets import BudgetLine, BudgetPoint, FixedBudgets, Kind, fixed_budgets
from tuner.analysis.nqm import expected_loss
from tuner.analysis.scaling.bounds import Bound
from tuner.records import no_curves

TARGET = {"metric": "validation/loss", "below": 0.01, "within_steps": 200_000}
BEST = {"metric": "validation/loss", "best": "lowest", "within_steps": 400}


@cache
def lowest(batch_size: int, steps: int) -> float:
    """The lowest expected loss after so many steps at any of the learning rates that were tried."""
    losses = (
        float(expected_loss(MODEL, RULE, steps=steps, batch_size=batch_size, learning_rate=rate)) for rate in RATES
    )
    return min(losses)


def found(what: Quadratic) -> FixedBudgets:
    answer = fixed_budgets(what.record(), what.read)
    assert answer is not None
    return answer


@pytest.mark.parametrize("goal", [TARGET, BEST])
def test_the_best_values_within_every_budget_are_those_of_the_model(goal: dict[str, object]) -> None:
    answer = found(Quadratic(quadratic_experiment(goal)))

    assert len(answer.of(Kind.STEPS)) >= 4
    assert len(answer.of(Kind.EXAMPLES)) >= 3
    checked = 0
    for line in answer.lines:
        for each in line.points:
            steps = line.budget if line.kind is Kind.STEPS else line.budget // each.batch_size
            if each.searched is not None:
                assert each.searched == pytest.approx(max(lowest(each.batch_size, steps), answer.best), rel=0.03)
                checked += 1
    assert checked > 20


def test_large_batches_win_within_steps_and_small_ones_within_examples() -> None:
    answer = found(Quadratic(quadratic_experiment(TARGET), noise=0.02))

    assert [each.verdict for each in answer.of(Kind.STEPS)][-1] == 1
    assert -1 not in [each.verdict for each in answer.of(Kind.STEPS)]
    assert -1 in [each.verdict for each in answer.of(Kind.EXAMPLES)]
    assert 1 not in [each.verdict for each in answer.of(Kind.EXAMPLES)]


def test_reported_values_are_medians_of_seeds_and_no_better_than_the_target() -> None:
    answer = found(Quadratic(quadratic_experiment(TARGET), noise=0.3))

    known = [(each.searched, each.reported) for line in answer.lines for each in line.points]
    both = [(searched, reported) for searched, reported in known if searched is not None and reported is not None]
    assert len(both) > 20
    assert all(one.low <= one.value <= one.high for _, one in both)  # type: ignore[operator]
    assert all(searched >= 0.01 for searched, _ in both)
    assert sum(searched <= reported.value for searched, reported in both) > 0.9 * len(both)


def line(*points: tuple[float | None, Bound | None]) -> BudgetLine:
    return BudgetLine(Kind.STEPS, 9, tuple(BudgetPoint(2**at, *each) for at, each in enumerate(points)))


@pytest.mark.parametrize(
    ("small", "large", "verdict"),
    [
        ((0.2, Bound(0.3, 0.28, 0.35)), (0.1, Bound(0.2, 0.15, 0.25)), 1),
        ((0.1, Bound(0.2, 0.15, 0.25)), (0.2, Bound(0.3, 0.28, 0.35)), -1),
        ((0.2, Bound(0.3, 0.20, 0.35)), (0.1, Bound(0.2, 0.15, 0.25)), 0),  # the intervals meet
        ((0.1, Bound(0.3, 0.28, 0.35)), (0.2, Bound(0.2, 0.15, 0.25)), 0),  # the search trials say the contrary
        ((0.2, None), (0.1, Bound(0.2, 0.15, 0.25)), 0),
        ((0.2, Bound(0.3)), (0.1, Bound(0.2)), 0),  # too few seeds for intervals
    ],
)
def test_a_verdict_needs_both_answers_and_intervals_that_do_not_meet(
    small: tuple[float, Bound], large: tuple[float, Bound], verdict: int
) -> None:
    assert line(small, large).verdict == verdict


def test_a_value_that_equals_the_target_has_not_reached_it() -> None:
    what = Quadratic(quadratic_experiment(TARGET))
    record = what.record()
    at_target = {
        size: {
            number: tuple(replace(each, metrics={"validation/loss": 0.01}) for each in curve[:-1]) + curve[-1:]
            for number, curve in curves.items()
        }
        for size, curves in what.curves.items()
    }

    answer = fixed_budgets(record, lambda size, _round: at_target[size])

    assert answer is not None
    scores = [each.searched for each in answer.of(Kind.STEPS)[0].points]
    assert all(each is not None and answer.best < each < 0.0100001 for each in scores)


@pytest.mark.parametrize("seeds", [3, 4])
def test_few_seeds_have_no_interval_and_no_verdict(seeds: int) -> None:
    experiment = quadratic_experiment(TARGET)
    few = replace(experiment, confirmation=replace(experiment.confirmation, report_seeds=seeds))
    answer = found(Quadratic(few, noise=0.02))

    assert all(each.reported is None or each.reported.low is None for line in answer.lines for each in line.points)
    assert {each.verdict for each in answer.lines} == {0}


def test_one_seed_of_an_exact_workload_is_enough_for_a_verdict() -> None:
    experiment = quadratic_experiment(TARGET)
    one = replace(experiment, confirmation=replace(experiment.confirmation, report_seeds=1))

    assert {each.verdict for each in found(Quadratic(one)).of(Kind.STEPS)} == {1}


def test_a_budget_that_no_trial_was_trained_for_has_no_value() -> None:
    answer = found(Quadratic(quadratic_experiment(BEST, batch_sizes=(64, 4096))))

    assert all(each.points[0].searched is not None for each in answer.of(Kind.EXAMPLES))
    budgets = [each.budget for each in answer.of(Kind.EXAMPLES)]
    assert max(budgets) == 64 * 400
    assert min(budgets) >= 4096  # with fewer there is no step of the largest batch size


def test_nothing_is_said_without_curves() -> None:
    record = Quadratic(quadratic_experiment(BEST, batch_sizes=SIZES[:2])).record()

    assert fixed_budgets(record, no_curves) is None

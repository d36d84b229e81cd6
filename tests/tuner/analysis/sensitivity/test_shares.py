from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuner.synthetic import digits, ended, study, trial
from tuner.analysis.sensitivity.shares import Share, Shares, shares, wilson
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.experiment.sequences import halton_point
from tuner.records import Origin, PointRun, Role, StudyRecord, TrialEnd
from tuner.trial import Outcome, sampler_seed

BUDGET = 4000


def cut(limit: int) -> TrialEnd:
    return replace(ended(limit, outcome=Outcome.CENSORED), limit=limit)


def searched(*ends: TrialEnd, guided: int = 0) -> StudyRecord:
    """A quasi-random search of `digits` in which points ended so; the last few were led to by results."""
    space = digits().space.at(64)
    seed = sampler_seed(experiment_seed=0, batch_size=64, round=1)
    points = [halton_point(space, number, seed=seed) for number in range(len(ends))]
    centre = space.at([0.5] * space.dimensions)
    points[len(ends) - guided :] = [centre] * guided
    return study(
        *(trial(number, end, run=PointRun(number, 0, Role.SEARCH, points[number])) for number, end in enumerate(ends))
    )


def found(*ends: TrialEnd, guided: int = 0) -> Shares:
    return shares(searched(*ends, guided=guided), experiment_seed=0, budget=BUDGET)


DIVERGED = ended(24, outcome=Outcome.INFEASIBLE)


def test_points_are_counted_by_what_they_did() -> None:
    each = found(ended(40), ended(79), ended(300), DIVERGED, cut(BUDGET))

    assert each.reaching == Share(3, 3, 5)
    assert each.near == Share(2, 2, 5)
    assert each.diverging == Share(1, 1, 5)
    assert (each.points, each.cut) == (5, 0)


def test_points_taken_from_another_batch_size_do_not_count_whatever_their_values() -> None:
    record = searched(ended(40), ended(79), ended(300))
    first, *others = record.trials
    warm = replace(first, plan=replace(first.plan, origin=Origin(128, 1, 0, ScalingRule.SAME)))

    counted = shares(replace(record, trials=(warm, *others)), experiment_seed=0, budget=BUDGET)

    assert counted.reaching == Share(2, 2, 2)


def test_a_point_that_was_cut_may_have_reached_the_target_or_diverged_but_was_not_near_the_best() -> None:
    each = found(ended(40), cut(80), cut(200), DIVERGED)

    assert each.reaching == Share(1, 3, 4)
    assert each.diverging == Share(1, 3, 4)
    assert each.near == Share(1, 1, 4)
    assert each.cut == 2


def test_a_point_that_was_cut_very_early_may_have_been_near_the_best() -> None:
    assert found(ended(40), cut(60)).near == Share(1, 2, 2)


def test_points_that_results_led_to_do_not_count_but_may_be_the_best() -> None:
    each = found(ended(100), DIVERGED, ended(30), ended(40), guided=2)

    assert each.reaching == Share(1, 1, 2)
    assert each.near == Share(0, 0, 2)


def test_points_of_another_experiments_seed_do_not_count() -> None:
    assert shares(searched(ended(40)), experiment_seed=1, budget=BUDGET).points == 0


def test_where_nothing_reached_the_target_nothing_is_near() -> None:
    each = found(cut(BUDGET), DIVERGED)

    assert each.near is None
    assert each.reaching == Share(0, 0, 2)


def test_without_points_a_share_may_be_anything() -> None:
    none = Share(0, 0, 0)

    assert (none.least, none.most, none.interval) == (0, 1, (0, 1))


@pytest.mark.parametrize(
    ("count", "points", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (15, 50, 0.1910, 0.4375), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval_is_the_published_one(count: int, points: int, low: float, high: float) -> None:
    assert wilson(count, points) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_an_interval_holds_every_share_that_is_possible(certain: int, undecided: int, others: int) -> None:
    share = Share(certain, certain + undecided, certain + undecided + others)
    low, high = share.interval

    assert 0 <= low <= share.least + 1e-12
    assert share.least <= share.most
    assert share.most <= high + 1e-12 <= 1 + 1e-12

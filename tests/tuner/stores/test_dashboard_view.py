"""The dashboard's view of a store: confirmation trials apart from the search."""

from dataclasses import replace

import pytest

from tests.contracts.stored import achieved, claimed, diverged, plan, small
from tuner.analysis.sensitivity.importances import importances
from tuner.records import Role
from tuner.service.dashboards import importances_shown
from tuner.stores import Store
from tuner.stores.dashboard_view import APART, DashboardView

SEARCH = 1
"""The study of the larger batch size, which is stored first."""


@pytest.fixture
def view(store: Store) -> DashboardView:
    """Of a study with two search trials, a probe, and three runs that confirm, one of them the best of all."""
    store.submit(small())
    with claimed(store) as claim:
        for run, steps in ((plan(0), 50), (plan(1), 40), (plan(-1, role=Role.PROBE), 60)):
            claim.finish(claim.start(run), achieved(steps), loss=float(steps))
        for repeat, role, steps in ((1, Role.CHOOSE, 30), (2, Role.REPORT, 35), (3, Role.REPORT, 45)):
            claim.finish(claim.start(plan(1, repeat=repeat, role=role)), achieved(steps), loss=float(steps))
    return DashboardView(store.optuna_url, skip_compatibility_check=True)


def test_only_studies_with_confirmation_trials_have_another_for_them(view: DashboardView) -> None:
    names = [each.study_name for each in view.get_all_studies()]

    assert sorted(names) == [
        "small/batch_size=64/round=1",
        "small/batch_size=64/round=1 confirmation",
        "small/batch_size=8/round=1",
    ]
    assert view.get_study_name_from_id(SEARCH + APART) == "small/batch_size=64/round=1 confirmation"


def test_each_shows_its_trials_and_the_best_of_these(view: DashboardView) -> None:
    assert [each.number for each in view.get_all_trials(SEARCH)] == [0, 1, 2]
    assert [each.number for each in view.get_all_trials(SEARCH + APART)] == [3, 4, 5]
    assert view.get_best_trial(SEARCH).number == 1
    assert view.get_best_trial(SEARCH + APART).number == 3


def test_a_study_without_a_finished_trial_has_no_best(view: DashboardView) -> None:
    (other,) = (each._study_id for each in view.get_all_studies() if "batch_size=8/" in each.study_name)

    with pytest.raises(ValueError, match="No trials are completed yet"):
        view.get_best_trial(other)


def test_the_importances_are_ours_by_the_names_that_optuna_has(store: Store, view: DashboardView) -> None:
    with claimed(store) as claim:
        for point in range(2, 14):
            run = replace(plan(point), hyperparameters={**plan(0).hyperparameters, "learning_rate": 0.01 * point})
            claim.finish(claim.start(run), achieved(point) if point < 12 else diverged(), loss=float(point))
    (study,) = (each for each in store.record("small").studies if each.batch_size == 64)
    shown = importances_shown(store, view, SEARCH)

    assert {str(each["name"]).removeprefix("1 - "): each["importance"] for each in shown} == importances(study)
    assert {each["name"]: each["distribution"] for each in shown} == {
        "learning_rate": "FloatDistribution",
        "1 - momentum": "FloatDistribution",
        "activation": "CategoricalDistribution",
    }


@pytest.mark.parametrize("study_id", [SEARCH + APART, 12345])
def test_there_are_no_importances_of_confirmation_trials_nor_of_a_study_that_is_not_there(
    store: Store, view: DashboardView, study_id: int
) -> None:
    assert importances_shown(store, view, study_id) == []

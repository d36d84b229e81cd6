"""What Optuna and its dashboard see of a store, and what becomes of a store when they change it."""

from dataclasses import replace

import optuna
import pytest
from sqlalchemy import text

from tests.contracts.stored import POINT, achieved, claimed, database, diverged, plan, small
from tuner.errors import StoreError
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.experiment.distributions import distributions_of
from tuner.records import SHOWN, Origin, TrialState
from tuner.stores import Store
from tuner.stores.opening import open_store

ORIGIN = Origin(8, 2, 17, ScalingRule.SQUARE_ROOT)


def test_optuna_sees_the_trials(store: Store) -> None:
    with claimed(store) as claim:
        claim.finish(claim.start(replace(plan(0), origin=ORIGIN)), achieved(190), loss=7.5)
        claim.finish(claim.start(plan(1)), diverged(), loss=12.0)
        claim.fail(claim.start(plan(2)), reason="out of memory")
    study = optuna.load_study(study_name="small/batch_size=64/round=1", storage=store.optuna_url)
    finished, infeasible, failed = study.trials

    assert study.user_attrs == {"experiment": "small", "batch_size": 64, "round": 1}
    assert study.best_trial.number == 0
    assert (finished.value, infeasible.value, failed.value) == (7.5, 12.0, None)
    assert failed.state is optuna.trial.TrialState.FAIL
    assert failed.user_attrs["reason"] == "out of memory"
    assert finished.params == {"learning_rate": 0.1 / 3, "1 - momentum": pytest.approx(0.1 / 7), "activation": "tanh"}
    assert finished.distributions == distributions_of(small().space.at(8))
    assert finished.user_attrs["plan"]["hyperparameters"] == POINT
    assert (finished.user_attrs["outcome"], finished.user_attrs["steps"]) == ("achieved", 190)
    assert (finished.user_attrs["origin"], infeasible.user_attrs.get("origin")) == (ORIGIN.phrase, None)
    assert len(finished.intermediate_values) == SHOWN
    assert finished.intermediate_values[1] == achieved(190).curve[0].metrics["validation/error"]
    assert finished.intermediate_values[190] == 0.02
    assert repr(infeasible.intermediate_values) == "{1: 1e-300, 2: -inf, 40: nan}"


def test_optuna_can_go_on_with_a_study(store: Store) -> None:
    with claimed(store) as claim:
        for point in range(12):
            claim.finish(claim.start(plan(point)), achieved(), loss=1.0)
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.load_study(study_name="small/batch_size=64/round=1", storage=store.optuna_url, sampler=sampler)

    study.tell(study.ask(distributions_of(small().space.at(8))), 3.0)

    assert len(study.trials) == 13
    assert len(store.record("small").studies[1].trials) == 12  # a trial without a plan is none of ours


def test_a_study_deleted_in_a_dashboard_is_missed(store: Store) -> None:
    optuna.delete_study(study_name="small/batch_size=64/round=1", storage=store.optuna_url)

    with claimed(store) as claim, pytest.raises(StoreError, match="round=1 is gone from Optuna's tables"):
        claim.start(plan(0))


def test_a_trial_ended_by_hand_keeps_its_result(store: Store) -> None:
    with claimed(store) as claim:
        number = claim.start(plan(0))
        study = optuna.load_study(study_name="small/batch_size=64/round=1", storage=store.optuna_url)
        study.tell(number, state=optuna.trial.TrialState.FAIL)
        claim.finish(number, achieved(), loss=1.0)

        assert [each.state for each in claim.record().trials] == [TrialState.FINISHED]


def test_a_store_of_another_optuna_is_refused(store: Store, store_url: str) -> None:
    store.close()
    with database(store_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v9.9.9'"))

    with pytest.raises(StoreError, match=r"does not fit this Optuna: .* updating optuna"):
        open_store(store_url)

import json
from dataclasses import replace

import pytest

from tests.tuner.synthetic import Workload, digits, ended, experiment_record, study, trial
from tuner.analysis.optimum.confirmation import confirm
from tuner.analysis.optimum.scatters import scatters
from tuner.analysis.sensitivity.summary import Sensitivity, sensitivity
from tuner.analysis.summary import results
from tuner.experiment import Experiment
from tuner.experiment.space import Fixed, Range, SearchSpace
from tuner.records import ExperimentRecord, PointRun, Role, TrialRecord
from tuner.trial import Outcome


@pytest.fixture(scope="module")
def record() -> ExperimentRecord:
    return experiment_record(digits(batch_sizes=[16, 256]))


@pytest.fixture(scope="module")
def found(record: ExperimentRecord) -> Sensitivity:
    return sensitivity(record)


def unreached(experiment: Experiment) -> ExperimentRecord:
    """A study whose only trial was stopped by its budget."""
    run = PointRun(0, 0, Role.SEARCH, {"learning_rate": 0.1, "momentum": 0.5, "end_factor": 1.0, "decay_steps": 90.0})
    end = ended(4000, outcome=Outcome.CENSORED)
    return ExperimentRecord(experiment, (study(trial(0, end, run=run), space=experiment.space.at(64)),))


@pytest.mark.parametrize("outcome", [Outcome.CENSORED, Outcome.INFEASIBLE])
def test_a_neighbours_winner_stands_where_the_own_search_came_to_no_score(
    record: ExperimentRecord, outcome: Outcome
) -> None:
    def lost(trial: TrialRecord) -> TrialRecord:
        is_search = trial.plan.role is Role.SEARCH
        return replace(trial, end=replace(trial.end, outcome=outcome)) if is_search and trial.end else trial

    small, large = record.studies
    changed = replace(record, studies=(small, replace(large, trials=tuple(map(lost, large.trials)))))

    assert sensitivity(changed).studies[1].profiles == ()
    assert results(changed).studies[1].confirmed is not None


def test_every_range_of_every_study_has_a_profile_around_the_confirmed_optimum(
    record: ExperimentRecord, found: Sensitivity
) -> None:
    for searched, each in zip(record.studies, found.studies, strict=True):
        confirmed = confirm(searched, record.experiment.confirmation)
        assert confirmed is not None
        assert each.optimum == confirmed.hyperparameters
        assert [profile.parameter for profile in each.profiles] == list(record.experiment.space.parameters)
        for profile in each.profiles:
            for tolerance in profile.tolerances:
                ends = tolerance.low * (1 - 1e-9), tolerance.high * (1 + 1e-9)  # positions have 12 digits
                assert ends[0] <= float(each.optimum[profile.parameter]) <= ends[1]


def test_a_parameter_without_effect_tolerates_more_than_the_learning_rate(found: Sensitivity) -> None:
    for each in found.studies:
        widths = {
            profile.parameter: profile.limits.position(far.high) - profile.limits.position(far.low)
            for profile in each.profiles
            for far in profile.tolerances[1:]
        }
        assert widths["decay_steps"] > 0.9
        assert widths["learning_rate"] < 0.9


def test_it_prints_as_plain_json(found: Sensitivity) -> None:
    printed = json.loads(json.dumps(found.to_json(), allow_nan=False))

    assert printed["experiment"] == "digits"
    entry = printed["studies"][0]
    assert list(entry) == ["batch_size", "optimum", "parameters", "shares", "importances"]
    assert entry["parameters"][0]["parameter"] == "learning_rate"
    assert list(entry["parameters"][0]["within"][0]) == [
        *("factor", "low", "high", "low_open", "high_open", "shown_low", "shown_high", "trials"),
    ]
    assert list(entry["shares"]) == ["points", "cut", "reaching", "within_2x", "diverging"]
    assert entry["shares"]["reaching"] == {"certain": 0, "possible": 0, "low": 0.0, "high": 1.0}
    assert sum(entry["importances"].values()) == pytest.approx(1)


def test_before_confirmation_the_best_trial_is_the_optimum() -> None:
    experiment = digits(batch_sizes=[64])
    searched = Workload().search(experiment, 64)

    (each,) = sensitivity(ExperimentRecord(experiment, (searched,))).studies

    assert each.optimum in [one.plan.hyperparameters for one in searched.trials]


def test_a_study_that_nothing_reached_has_shares_and_no_profile() -> None:
    (each,) = sensitivity(unreached(digits(batch_sizes=[64]))).studies

    assert (each.optimum, each.profiles) == ({}, ())
    assert each.to_json()["shares"]["within_2x"] is None  # type: ignore[index]


def test_a_study_without_results_is_not_there() -> None:
    empty = ExperimentRecord(digits(batch_sizes=[64]), (study(),))

    assert sensitivity(empty).studies == ()
    assert scatters(empty) == ()


def test_every_trial_is_a_place_of_learning_rate_and_momentum(record: ExperimentRecord) -> None:
    for scatter, searched in zip(scatters(record), record.studies, strict=True):
        points = [each.plan.hyperparameters for each in searched.finished(Role.SEARCH)]
        places = [place for outcome in Outcome for place in scatter.trials[outcome]]
        assert sorted((place.learning_rate, place.momentum) for place in places) == sorted(
            (float(point["learning_rate"]), float(point["momentum"])) for point in points
        )
        confirmed = confirm(searched, record.experiment.confirmation)
        assert confirmed is not None
        assert scatter.optimum is not None
        assert scatter.optimum.learning_rate == confirmed.hyperparameters["learning_rate"]


def test_the_plane_spans_the_effective_learning_rates_of_its_corners(record: ExperimentRecord) -> None:
    assert scatters(record)[0].effective_learning_rates == pytest.approx((0.001, 10_000))


def test_a_scatter_without_an_optimum_has_none() -> None:
    assert scatters(unreached(digits(batch_sizes=[64])))[0].optimum is None


@pytest.mark.parametrize(
    ("rates", "momenta"),
    [
        (Range(0.001, 1.0), Fixed(0.9)),
        (Fixed(0.1), Range(0.0, 0.9)),
        (Range(0.0, 1.0), Range(0.0, 0.9)),
        (Range(0.001, 1.0), Range(0.0, 1.0)),
    ],
)
def test_without_ranges_of_positive_rates_and_momenta_below_one_there_is_no_scatter(
    rates: Range | Fixed, momenta: Range | Fixed
) -> None:
    space = SearchSpace({"learning_rate": rates, "momentum": momenta})
    run = PointRun(0, 0, Role.SEARCH, {"learning_rate": 0.1, "momentum": 0.9})

    assert scatters(ExperimentRecord(digits(), (study(trial(0, ended(9), run=run), space=space),))) == ()

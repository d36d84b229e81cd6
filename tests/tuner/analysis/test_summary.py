import json
from dataclasses import replace

import pytest

from tests.tuner.synthetic import Workload, digits, ended, experiment_record, grown, pending, study, trial
from tuner.analysis.edges.verdicts import SUSPICIOUS
from tuner.analysis.optimum.slices import search_views
from tuner.analysis.summary import edges, results
from tuner.experiment import ConfirmationSettings, GoalSettings, SpaceSettings
from tuner.experiment.goals import Best
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.records import ExperimentRecord, PointRun, Role, StudyRecord, TrialState
from tuner.trial import Outcome

SPACE = SearchSpace({"learning_rate": Range(0.001, 10.0, scale=Scale.LOG)})
SETTINGS = ConfirmationSettings(candidates=2, choose_seeds=1, report_seeds=4)


def searched() -> StudyRecord:
    """Two trials that reached the target, one each that was cut, diverged, failed and runs."""
    running = replace(trial(5, None), state=TrialState.RUNNING, reason="")
    return study(
        trial(0, ended(60)),
        trial(1, ended(40)),
        trial(2, ended(120, outcome=Outcome.CENSORED)),
        trial(3, ended(24, outcome=Outcome.INFEASIBLE)),
        trial(4, None),
        running,
        space=SPACE,
    )


def confirmed(*steps: int | None) -> StudyRecord:
    """The same, with a choosing seed of both candidates and these reporting seeds of the winner."""
    record = grown(searched(), pending(searched(), SETTINGS), lambda run: ended(50))
    ends = [ended(4000, outcome=Outcome.CENSORED) if each is None else ended(each) for each in steps]
    return replace(grown(record, pending(record, SETTINGS), lambda run: ends[run.repeat - 2]), complete=True)


def printed(record: StudyRecord) -> dict[str, object]:
    """One entry of `studies`, as another program reads it."""
    experiment = replace(digits(), space=SpaceSettings(SPACE.parameters), confirmation=SETTINGS)
    text = json.dumps(results(ExperimentRecord(experiment, (record,))).to_json(), allow_nan=False)
    entry = json.loads(text)["studies"][0]
    assert isinstance(entry, dict)
    return entry


def test_results_print_the_promised_shape() -> None:
    entry = printed(confirmed(44, 39, 52, 47))

    assert entry == {
        "batch_size": 64,
        "rounds": 1,
        "warm_start": None,
        "history": [
            {
                "round": 1,
                "points": 4,
                "best_steps": 40,
                "probes": 0,
                "best_probe": None,
                "widened": [],
                "second_look": False,
            }
        ],
        "unreached": None,
        "complete": True,
        "steps_spent": 60 + 40 + 120 + 24,
        "examples_spent": (60 + 40 + 120 + 24) * 64,
        "confirmation_steps_spent": 50 + 50 + 44 + 39 + 52 + 47,
        "trials": {"achieved": 2, "censored": 1, "infeasible": 1, "error": 0, "failed": 1, "running": 1},
        "errors": {},
        "best": {"round": 1, "trial": 1, "steps": 40, "params": {"learning_rate": 0.1}},
        "confirmed": {
            "round": 1,
            "trial": 1,
            "from": None,
            "steps": 45.5,
            "low": 39,
            "high": 52,
            "interval": {"low": 39, "high": 52, "coverage": 0.875},
            "repeated_interval": None,
            "selection_bias": 45.5 / 40,
            "seeds": 4,
            "reached": 4,
            "params": {"learning_rate": 0.1},
            "test_error": 0.04,
        },
        "doubt": None,
        "edges": [
            {
                "parameter": "learning_rate",
                "side": "low",
                "verdict": "inside",
                "position": 0.5,
                "confidence": pytest.approx(0.0, abs=SUSPICIOUS),
            }
        ],
    }


def test_results_print_the_experiment_and_its_goal() -> None:
    printed_goal = results(ExperimentRecord(digits(), ())).to_json()

    assert printed_goal == {
        "experiment": "digits",
        "goal": {"metric": "validation/error", "below": 0.03, "within_steps": 4000},
        "growth": [],
        "damaged": [],
        "selection_bias": None,
        "studies": [],
    }


def test_infinite_steps_are_null() -> None:
    found = printed(confirmed(44, None, None, 47))["confirmed"]

    assert isinstance(found, dict)
    assert (found["steps"], found["low"], found["high"], found["reached"]) == (None, 44, None, 2)
    assert found["interval"] == {"low": 44, "high": None, "coverage": 0.875}
    assert found["selection_bias"] is None


def test_the_selection_bias_of_all_studies_is_printed() -> None:
    experiment = replace(digits(), space=SpaceSettings(SPACE.parameters), confirmation=SETTINGS)
    studies = (confirmed(60, 60, 60, 60), confirmed(80, 80, 80, 80), confirmed(None, None, None, 47))

    found = results(ExperimentRecord(experiment, studies)).to_json()["selection_bias"]

    assert found == {"ratio": pytest.approx((1.5 * 2) ** 0.5), "studies": 2, "unreached": 1}


def test_a_winner_that_no_reporting_seed_confirmed_is_null() -> None:
    assert printed(confirmed(None, None, None, None))["confirmed"] is None


def test_best_and_confirmed_are_null_when_nothing_reached_the_target() -> None:
    entry = printed(study(trial(0, ended(4000, outcome=Outcome.CENSORED)), space=SPACE))

    assert (entry["best"], entry["confirmed"]) == (None, None)


def test_edges_print_one_entry_for_each_range_of_each_study() -> None:
    record = experiment_record(digits(batch_sizes=[16, 64]))

    printed_edges = json.loads(json.dumps(edges(record).to_json()))

    assert printed_edges["experiment"] == "digits"
    assert [(each["batch_size"], each["parameter"]) for each in printed_edges["edges"]] == [
        (size, name) for size in (16, 64) for name in ("learning_rate", "momentum", "end_factor", "decay_steps")
    ]
    keys = ["batch_size", "parameter", "side", "verdict", "position", "confidence"]
    assert all(list(each) == keys for each in printed_edges["edges"])
    assert all(0 <= each["position"] <= 1 for each in printed_edges["edges"])


def test_both_summaries_agree_on_edges() -> None:
    record = experiment_record(digits(batch_sizes=[16, 64, 256]))

    assert results(record).at_box_edge is edges(record).at_box_edge


def test_searches_are_seen_along_the_effective_learning_rate() -> None:
    experiment = digits(batch_sizes=[64])
    record = ExperimentRecord(experiment, (Workload().search(experiment, 64),))

    (view,) = search_views(record)

    point = record.studies[0].trials[0].plan.hyperparameters
    assert view.parameter == "effective_learning_rate"
    assert view.trials[0].value == pytest.approx(float(point["learning_rate"]) / (1 - float(point["momentum"])))


def test_searches_without_momentum_are_seen_along_the_learning_rate() -> None:
    (view,) = search_views(ExperimentRecord(digits(), (searched(),)))

    assert view.parameter == "learning_rate"
    assert [each.height for each in view.having(Outcome.ACHIEVED)] == [60, 40]


def test_a_trial_that_came_to_nothing_is_seen_above_the_others_however_far_off_it_was() -> None:
    ends = [
        replace(ended(10, outcome=outcome), outcome=end, loss=loss)
        for outcome, end, loss in (
            (Outcome.ACHIEVED, Outcome.FINISHED, -3.0),
            (Outcome.CENSORED, Outcome.CENSORED, -1.0),
            (Outcome.INFEASIBLE, Outcome.INFEASIBLE, 3.0),
            (Outcome.CENSORED, Outcome.CENSORED, 100.0),
        )
    ]
    goal = GoalSettings("validation/error", within_steps=10, best=Best.LOWEST)
    record = study(*(trial(number, end) for number, end in enumerate(ends)), space=SPACE)

    (view,) = search_views(ExperimentRecord(replace(digits(), goal=goal), (record,)))

    assert [each.height for each in view.trials] == [0.125, 0.5, 1.0, 1.0]


def test_searches_without_a_learning_rate_are_not_shown() -> None:
    record = study(trial(0, ended(10), run=PointRun(0, 0, Role.SEARCH, {"width": 3})))

    assert search_views(ExperimentRecord(digits(), (record,))) == ()

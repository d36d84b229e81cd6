"""The answers of an experiment in MLflow: what people sort by, filter by and read, and how it follows what changes."""

import math
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from tests.tuner.recorded import POINT, Held, Recorded, recorded, widened
from tests.tuner.recorders.mlflow.tracked import runs, send, snapshot
from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict
from tuner.analysis.optimum.confirmation import Confirmation
from tuner.analysis.scaling.repeats import RepeatedInterval
from tuner.analysis.summary import Results, results
from tuner.experiment.space import Side
from tuner.recorders.mlflow.overview import NOTE_TAG, log_answers
from tuner.recorders.mlflow.runs import Tracking

WINNER = Confirmation(1, 0, 0, {**POINT, "activation": "tanh"}, None, 30, 33.0, (31.0, 32.0, 33.0, 35.0, 40.0), {})
EDGES = (EdgeVerdict("learning_rate", Side.HIGH, Verdict.BOX_EDGE, 0.98, 9.5, 0.4),)


def confirmed(what: Recorded, winner: Confirmation | None = WINNER) -> Results:
    """Its results, as if every study had this winner, at an edge."""
    found = results(what.record)
    interval = RepeatedInterval(28.0, 39.0)
    studies = (replace(each, confirmed=winner, repeated=interval, edges=EDGES) for each in found.studies)
    return replace(found, studies=tuple(studies))


def log(found: Results, uri: str) -> None:
    log_answers(found, Tracking(uri, "digits", Held(recorded())))


def test_the_run_of_a_study_carries_its_answer_in_metrics_and_tags(uri: str) -> None:
    what = recorded(batch_sizes=(64,))
    send(what, uri)
    log(confirmed(what), uri)
    (run,) = runs(uri, "tags.complete = 'true' and tags.metric = 'validation/error' and metrics.confirmed_steps < 34")

    assert {name: each for name, each in run.data.metrics.items() if name.startswith(("confirmed", "repeated"))} == {
        "confirmed_steps": 33,
        "confirmed_low": 31,
        "confirmed_high": 40,
        "repeated_low": 28,
        "repeated_high": 39,
    }
    assert {name: run.data.metrics[f"winner.{name}"] for name in POINT} == POINT
    assert run.data.metrics["best_steps"] == 30
    assert {name: run.data.tags[name] for name in ("answer", "edge.learning_rate", "winner.activation")} == {
        "answer": "33 steps (31 to 40)",
        "edge.learning_rate": "box_edge",
        "winner.activation": "tanh",
    }
    assert run.data.tags[NOTE_TAG].splitlines() == [
        "**33 steps** to validation/error below 0.03 at batch size 64 "
        "(median of 5 fresh seeds, 31 to 40; repeated experiments: 28 to 39).",
        "",
        "Winner: learning_rate = 0.1, momentum = 0.9, end_factor = 1, decay_steps = 100, activation = tanh.",
        "",
        "The optimum may be beyond the high end of learning_rate (40 %): widen the range there.",
    ]


def test_answers_that_are_there_change_nothing(uri: str) -> None:
    what = recorded()
    send(what, uri)
    log(confirmed(what), uri)
    before = snapshot(uri)
    log(confirmed(what), uri)

    assert snapshot(uri) == before


def test_an_answer_that_changes_takes_the_place_of_the_one_before(uri: str) -> None:
    what = recorded(batch_sizes=(64,))
    send(what, uri)
    log(confirmed(what), uri)
    log(confirmed(what, replace(WINNER, score=29.0)), uri)
    (run,) = runs(uri, "tags.complete = 'true'")

    assert run.data.metrics["confirmed_steps"] == 29

    log(replace(confirmed(what), studies=tuple(replace(each, complete=False) for each in confirmed(what).studies)), uri)
    (run,) = runs(uri, "tags.complete = 'false'")

    assert math.isnan(run.data.metrics["confirmed_steps"])
    assert run.data.tags.get("answer", "") == ""
    assert run.data.metrics["best_steps"] == 30


def test_a_target_that_no_seed_reached_is_never_reached(uri: str) -> None:
    what = recorded(batch_sizes=(64,))
    send(what, uri)
    log(confirmed(what, replace(WINNER, score=math.inf, per_seed=(math.inf,) * 5)), uri)
    (run,) = runs(uri, "tags.complete = 'true'")

    assert run.data.tags["answer"] == "never"
    assert "confirmed_steps" not in run.data.metrics


def test_the_last_round_holds_the_answer_and_the_rounds_before_say_so(uri: str) -> None:
    what = widened(recorded(batch_sizes=(64,)))
    send(what, uri)
    log(confirmed(what), uri)
    said = {run.info.run_name: run for run in runs(uri, "tags.`tuner.study` LIKE '%'")}

    assert {name: run.data.tags["complete"] for name, run in said.items()} == {
        "batch_size=64": "superseded",
        "batch_size=64 round=2": "true",
    }
    assert ["confirmed_steps" in run.data.metrics for _, run in sorted(said.items())] == [False, True]


def test_the_experiment_begins_its_description_with_the_answer_and_goes_on_with_the_scaling_table(uri: str) -> None:
    what = recorded()
    send(what, uri)
    log(confirmed(what), uri)
    lines = description(uri).splitlines()

    assert lines[0] == "Confirmed steps to validation/error below 0.03: **33** at 64, **33** at 128."
    assert "| 64 | **33** | 31 to 40 | 28 to 39 | 30 | 0.1 | 0.9 | 1 | 100 |" in lines
    assert lines[-1] == "`tuner report digits` writes the report."


@pytest.mark.parametrize("theirs", ["mine", ""])
def test_a_description_that_somebody_wrote_stays(uri: str, theirs: str) -> None:
    what = recorded()
    client = MlflowClient(tracking_uri=uri)
    client.set_experiment_tag(client.create_experiment("digits"), NOTE_TAG, theirs)
    send(what, uri)
    log(confirmed(what), uri)

    assert (description(uri) == theirs) is bool(theirs)


def description(uri: str) -> str:
    """The experiment's, as MLflow has it."""
    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name("digits")
    assert experiment is not None
    return str(experiment.tags[NOTE_TAG])

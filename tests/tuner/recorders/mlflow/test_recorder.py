"""The MLflow recorder on a real SQLite tracking database, read back with MLflow's own client."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from tests.tuner.recorded import POINT, Held, Recorded, recorded
from tests.tuner.recorders.mlflow.tracked import runs, send
from tuner.errors import RecorderError
from tuner.recorders import ExtraStarted, Notice, StudyFinished, StudyStarted, TrialFinished
from tuner.recorders.mlflow.log import Log
from tuner.recorders.mlflow.recorder import MlflowRecorder
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.mlflow.sync import sync
from tuner.recorders.mlflow.workload import workload_parameters
from tuner.records import RULES_FROM, Role


class TestMlflowRecorder:
    def test_stores_a_trial_as_a_whole_run(self, uri: str) -> None:
        what = recorded(measurements=5)
        told = send(what, uri)
        (run,) = runs(uri, "tags.`tuner.trial` = 'digits/batch_size=64/round=1/trial=1'")

        assert told == []
        assert run.info.status == "FINISHED"
        assert run.info.end_time - run.info.start_time == 1000
        given = {"batch_size": "64"} | {name: str(value) for name, value in POINT.items()}
        assert run.data.params == workload_parameters(what.experiment) | given
        tags = {
            name: run.data.tags[name] for name in ("batch_size", "study", "round", "outcome", "role", "point", "repeat")
        }
        assert tags == {
            "batch_size": "64",
            "study": "digits/batch_size=64/round=1",
            "round": "1",
            "outcome": "achieved",
            "role": "search",
            "point": "1",
            "repeat": "0",
        }
        assert {name: run.data.tags[name] for name in ("lanes", "device")} == {"lanes": "8", "device": "cpu"}
        assert run.data.metrics["steps_to_target"] == 31
        assert run.data.metrics["test/error"] == 0.04
        assert run.data.metrics["examples_spent"] == 31 * 64

    def test_stores_every_measurement_at_its_step(self, uri: str) -> None:
        what = recorded(measurements=5)
        send(what, uri)
        (run,) = runs(uri, "tags.`tuner.trial` = 'digits/batch_size=128/round=1/trial=0'")
        history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "validation/error")

        expected = [(each.step, each.metrics["validation/error"]) for each in what.curves(128)[0]]
        assert [(each.step, each.value) for each in history] == expected

    def test_extra_trials_are_runs_of_a_study_whose_own_run_stays_as_it_was(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        send(what, uri)
        (study,) = what.record.studies
        first, (before,) = study.trials[0], runs(uri, "tags.`tuner.study` LIKE '%'")
        plan = replace(first.plan, point=RULES_FROM, repeat=1, role=Role.RULE)
        extra = replace(first, number=len(study.trials), plan=plan)
        after = replace(study, trials=(*study.trials, extra))
        recorder = MlflowRecorder(uri, Held(what).open, tell=lambda _: None, patience=60)

        recorder.open(what.experiment)
        for event in (
            ExtraStarted(study, "w", 1),
            TrialFinished(64, 1, extra, what.curves(64)[0]),
            StudyFinished(after),
        ):
            recorder.record(event)
        recorder.close()

        (run,), (again,) = runs(uri, "tags.role = 'rule'"), runs(uri, "tags.`tuner.study` LIKE '%'")
        assert run.data.tags["mlflow.parentRunId"] == before.info.run_id == again.info.run_id
        assert (again.data.tags, again.data.metrics) == (before.data.tags, before.data.metrics)
        assert (again.info.status, again.info.end_time) == ("FINISHED", before.info.end_time)

    def test_a_database_can_be_read_while_it_is_written(self, uri: str) -> None:
        send(recorded(), uri)

        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            assert runs(uri, "tags.`tuner.trial` LIKE '%'")

    def test_nests_trials_under_the_run_of_their_study(self, uri: str) -> None:
        send(recorded(), uri)
        studies = {run.data.tags["tuner.study"]: run for run in runs(uri, "tags.`tuner.study` LIKE '%'")}
        parent = studies["digits/batch_size=64/round=1"]
        children = runs(uri, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")

        assert len(studies) == 2
        assert {run.data.tags["batch_size"] for run in children} == {"64"}
        assert len(children) == 4
        assert parent.info.status == "FINISHED"
        assert parent.data.metrics["best_steps"] == 30
        assert parent.data.metrics["trials_infeasible"] == 1

    def test_leaves_out_values_that_are_not_finite(self, uri: str) -> None:
        send(recorded(measurements=3), uri)
        (run,) = runs(uri, "tags.outcome = 'infeasible' and tags.batch_size = '64'")
        history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "train/loss")

        assert [each.step for each in history] == [8, 16]
        assert "steps_to_target" not in run.data.metrics

    def test_ends_the_run_of_an_interrupted_study_as_killed_and_opens_it_again_when_it_goes_on(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        send(what, uri, stop_after=4)
        (killed,) = runs(uri, "tags.`tuner.study` LIKE '%'")

        assert killed.info.status == "KILLED"

        recorder = MlflowRecorder(uri, Held(what).open, tell=lambda notice: None, patience=60)
        recorder.open(what.experiment)
        (whole,) = what.record.studies
        recorder.record(StudyStarted(replace(whole, complete=False, trials=whole.trials[:1]), "worker-0"))
        for event in list(what.events())[4:]:
            recorder.record(event)
        recorder.close()
        (ended,) = runs(uri, "tags.`tuner.study` LIKE '%'")

        assert ended.info.run_id == killed.info.run_id
        assert ended.info.status == "FINISHED"
        assert ended.data.metrics["trials"] == 4

    def test_restores_a_deleted_experiment_without_the_runs_that_it_had(self, uri: str) -> None:
        client = MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("digits")
        theirs = client.create_run(experiment).info.run_id
        client.delete_experiment(experiment)
        told = send(recorded(), uri)

        assert told == []
        assert len(runs(uri)) == 10
        assert client.get_run(theirs).info.lifecycle_stage == "deleted"

    def test_leaves_the_run_of_a_study_deleted_that_somebody_deletes_while_it_is_searched(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        log = Log(uri, what.experiment, 10, store=Held(what).open)
        events = [each for each in what.events() if isinstance(each, StudyStarted | TrialFinished | StudyFinished)]
        for event in events[:-1]:
            log.note(event)
            log.send(event)
        (study,) = runs(uri, "tags.`tuner.study` LIKE '%'")
        MlflowClient(tracking_uri=uri).delete_run(study.info.run_id)
        log.note(events[-1])
        log.send(events[-1])

        assert runs(uri, "tags.`tuner.study` LIKE '%'") == []

    def test_leaves_out_a_value_whose_name_is_refused_and_says_so_once(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        recorder_told = send(renamed(what, "test/error", "F1@0.5 (%)"), uri)
        (run,) = runs(uri, "tags.`tuner.trial` = 'digits/batch_size=64/round=1/trial=1'")

        assert [each.text for each in recorder_told] == [
            "MLflow does not take F1@0.5 (%): left out there, and kept in the store."
        ]
        assert run.info.status == "FINISHED"
        assert run.data.metrics["steps_to_target"] == 31

    def test_drops_trials_when_the_backlog_is_full_and_says_so_once(self, uri: str) -> None:
        told: list[Notice] = []
        what = recorded(trials=30)
        recorder = MlflowRecorder(uri, Held(what).open, tell=told.append, backlog=1, patience=60)
        recorder.open(what.experiment)
        for event in what.events():
            recorder.record(event)
        recorder.close()

        assert len(told) == 1
        assert "falls behind" in told[0].text
        assert "`tuner sync digits`" in told[0].text

    def test_writes_nothing_to_the_terminal(self, uri: str, capfd: pytest.CaptureFixture[str]) -> None:
        send(recorded(), uri.replace("mlflow.db", "new.db"))

        assert capfd.readouterr() == ("", "")


def renamed(what: Recorded, metric: str, name: str) -> Recorded:
    """The same with another name of a metric in all curves."""
    curves = {
        key: {
            number: tuple(
                replace(each, metrics={name if old == metric else old: value for old, value in each.metrics.items()})
                for each in curve
            )
            for number, curve in of_round.items()
        }
        for key, of_round in what.by_round.items()
    }
    return Recorded(what.record, curves)


def test_an_error_does_not_show_the_password() -> None:
    what = recorded()
    with pytest.raises(RecorderError, match=r"MLflow at nonsense://host cannot be used") as error:
        sync(what.record, what.curves, Tracking("nonsense://ada:secret@host", "digits", Held(what)))

    assert "secret" not in str(error.value)

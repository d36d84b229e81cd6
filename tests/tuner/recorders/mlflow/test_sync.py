"""`tuner sync` on a real SQLite tracking database, read back with MLflow's own client."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from tests.tuner.recorded import Held, recorded, widened
from tests.tuner.recorders.mlflow.tracked import by_name, runs, send, snapshot
from tuner.analysis.summary import results
from tuner.errors import RecorderError
from tuner.recorders.mlflow.overview import log_answers, log_report
from tuner.recorders.mlflow.run_content import study_run
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.mlflow.sync import SyncCounts, sync
from tuner.records import Curve, StudyRecord


class TestSync:
    def test_creates_what_the_recorder_would_have(self, uri: str, empty_database: Path, tmp_path: Path) -> None:
        (tmp_path / "other.db").write_bytes(empty_database.read_bytes())
        other = f"sqlite:///{tmp_path / 'other.db'}"
        what = recorded()
        send(what, uri)
        counts = sync(what.record, what.curves, Tracking(other, "digits", Held(what)))

        log_answers(results(what.record), Tracking(other, "digits", Held(what)))

        assert counts == SyncCounts(created=10, completed=0, removed=0, present=0)
        assert by_name(other) == by_name(uri)

    @pytest.mark.parametrize("sent", [None, 0, 3, 8])
    def test_changes_nothing_the_second_time(self, uri: str, sent: int | None) -> None:
        what = recorded()
        send(what, uri, stop_after=sent)
        sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))
        before = snapshot(uri)
        counts = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))

        assert counts == SyncCounts(created=0, completed=0, removed=0, present=10)
        assert counts.sentence == "0 runs created, 0 completed, 10 there already"
        assert snapshot(uri) == before

    def test_changes_nothing_after_a_recorder_that_sent_everything(self, uri: str) -> None:
        what = recorded()
        send(what, uri)
        before = snapshot(uri)
        counts = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))

        assert counts == SyncCounts(created=0, completed=0, removed=0, present=10)
        assert snapshot(uri) == before

    def test_completes_a_run_that_a_killed_process_left_running(self, uri: str) -> None:
        what = recorded()
        send(what, uri)
        expected = snapshot(uri)
        client = MlflowClient(tracking_uri=uri)
        (run,) = runs(uri, "tags.`tuner.trial` = 'digits/batch_size=64/round=1/trial=2'")
        client.delete_run(run.info.run_id)
        half = client.create_run(
            run.info.experiment_id, start_time=run.info.start_time, tags=run.data.tags, run_name=run.info.run_name
        )
        first = next(iter(client.get_metric_history(run.info.run_id, "train/loss")))
        client.log_batch(half.info.run_id, [Metric(first.key, first.value, first.timestamp, first.step)])
        counts = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))
        repaired = snapshot(uri)

        assert counts == SyncCounts(created=0, completed=1, removed=0, present=9)
        assert repaired[half.info.run_id] == expected[run.info.run_id]

    def test_removes_second_copies(self, uri: str) -> None:
        what = recorded()
        send(what, uri)
        expected = snapshot(uri)
        run = runs(uri, "tags.`tuner.trial` LIKE '%'")[0]
        MlflowClient(tracking_uri=uri).create_run(
            run.info.experiment_id, start_time=run.info.start_time, tags=run.data.tags
        )
        counts = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))

        assert counts == SyncCounts(created=0, completed=0, removed=1, present=10)
        assert counts.sentence.endswith("1 second copies removed")
        assert snapshot(uri) == expected

    def test_leaves_runs_of_others_alone(self, uri: str) -> None:
        client = MlflowClient(tracking_uri=uri)
        theirs = client.create_run(client.create_experiment("digits"), tags={"batch_size": "64"})
        what = recorded()
        sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))

        assert client.get_run(theirs.info.run_id).info.status == "RUNNING"
        assert len(runs(uri)) == 11

    def test_does_not_take_another_stores_trials_for_these(self, uri: str) -> None:
        earlier = recorded()
        what = recorded()
        send(what, uri)
        moved = replace(earlier.record, studies=tuple(map(later, earlier.record.studies)))
        counts = sync(moved, earlier.curves, Tracking(uri, "digits", Held(what)))

        assert counts.created == 8
        assert len(runs(uri)) == 18

    def test_counts_what_was_deleted_and_makes_it_again_only_when_asked(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        send(what, uri)
        before = snapshot(uri)
        client = MlflowClient(tracking_uri=uri)
        for run in runs(uri)[:3]:
            client.delete_run(run.info.run_id)
        counts = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))

        assert counts == SyncCounts(created=0, completed=0, removed=0, present=2, deleted=3)
        assert len(runs(uri)) == 2

        restored = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)), restore=True)

        assert restored == SyncCounts(created=0, completed=0, removed=0, present=2, restored=3)
        assert snapshot(uri) == before

    def test_brings_trials_back_under_their_study_when_another_run_took_its_place(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        send(what, uri)
        (study,) = runs(uri, "tags.`tuner.study` LIKE '%'")
        client = MlflowClient(tracking_uri=uri)
        client.delete_run(study.info.run_id)
        other = client.create_run(
            study.info.experiment_id, tags=study.data.tags, start_time=study.info.start_time
        ).info.run_id
        counts = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))

        assert counts == SyncCounts(created=0, completed=5, removed=0, present=0)
        assert len(runs(uri, f"tags.`mlflow.parentRunId` = '{other}'")) == 4

    def test_adds_the_rest_of_curves_that_were_thinned(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,), measurements=25)
        send(what, uri)
        first = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)), points=25)
        again = sync(what.record, what.curves, Tracking(uri, "digits", Held(what)), points=25)
        (run,) = runs(uri, "tags.`tuner.trial` = 'digits/batch_size=64/round=1/trial=0'")
        history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "validation/error")

        assert (first.completed, first.present) == (4, 1)
        assert (again.completed, again.present) == (0, 5)
        assert {each.step for each in history} == {each.step for each in what.curves(64)[0]}

    def test_asks_for_no_curves_when_nothing_is_missing(self, uri: str) -> None:
        what = recorded()
        send(what, uri)

        def refuse(batch_size: int, *, round: int) -> Mapping[int, Curve]:
            raise AssertionError(f"asked for the curves of batch size {batch_size}")

        assert sync(what.record, refuse, Tracking(uri, "digits", Held(what))).present == 10

    def test_skips_a_study_without_a_finished_trial(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        bare = tuple(replace(each, complete=False, trials=()) for each in what.record.studies)
        counts = sync(replace(what.record, studies=bare), what.curves, Tracking(uri, "digits", Held(what)))

        assert counts == SyncCounts(created=0, completed=0, removed=0, present=0)
        with pytest.raises(ValueError, match="batch size 64 has no finished trial"):
            study_run(what.experiment, bare[0])


def later(study: StudyRecord) -> StudyRecord:
    """The same study, searched an hour later."""
    hour = timedelta(hours=1)
    return replace(
        study,
        trials=tuple(
            replace(each, started=each.started + hour, ended=(each.ended or each.started) + hour)
            for each in study.trials
        ),
    )


class TestRounds:
    @pytest.mark.parametrize("sent", [None, 0, 5, 7, 12])
    def test_each_is_a_run_with_its_trials_whoever_brings_them(self, uri: str, sent: int | None) -> None:
        what = widened(recorded(batch_sizes=(64,)))
        send(what, uri, stop_after=sent)
        sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))
        before = snapshot(uri)
        studies = {run.info.run_name: run for run in runs(uri, "tags.`tuner.study` LIKE '%'")}
        children = {
            name: len(runs(uri, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")) for name, run in studies.items()
        }

        assert children == {"batch_size=64": 4, "batch_size=64 round=2": 4}
        assert {run.info.status for run in studies.values()} == {"FINISHED"}
        assert [run.data.metrics["best_steps"] for _, run in sorted(studies.items())] == [30, 15]
        assert {run.data.metrics["trials"] for run in studies.values()} == {4}
        assert sync(what.record, what.curves, Tracking(uri, "digits", Held(what))).present == 10
        assert snapshot(uri) == before

    def test_the_recorder_ends_a_round_when_the_next_is_opened(self, uri: str) -> None:
        what = widened(recorded(batch_sizes=(64,)))
        send(what, uri)
        before = snapshot(uri)

        assert sync(what.record, what.curves, Tracking(uri, "digits", Held(what))) == SyncCounts(0, 0, 0, present=10)
        assert snapshot(uri) == before


class TestLogReport:
    def test_stores_the_page_and_its_figures_beside_the_database(self, uri: str, tmp_path: Path) -> None:
        folder = report_folder(tmp_path, "one")
        stored = log_report("digits", folder, Tracking(uri, "digits", Held(recorded())))
        (run,) = runs(uri, "tags.`tuner.report` LIKE '%'")
        artifacts = MlflowClient(tracking_uri=uri).list_artifacts(run.info.run_id)

        assert stored
        assert run.info.run_name == "report"
        assert run.info.status == "FINISHED"
        assert [each.path for each in artifacts] == ["report.html", "steps.png", "steps.svg"]
        assert (
            tmp_path / "mlartifacts" / "digits" / run.info.run_id / "artifacts" / "report.html"
        ).read_text() == "one"

    def test_stores_the_same_report_once_and_a_new_one_in_its_place(self, uri: str, tmp_path: Path) -> None:
        log_report("digits", report_folder(tmp_path, "one"), Tracking(uri, "digits", Held(recorded())))
        again = log_report("digits", report_folder(tmp_path, "one"), Tracking(uri, "digits", Held(recorded())))
        changed = log_report("digits", report_folder(tmp_path, "two"), Tracking(uri, "digits", Held(recorded())))
        (run,) = runs(uri, "tags.`tuner.report` LIKE '%'")
        path = MlflowClient(tracking_uri=uri).download_artifacts(run.info.run_id, "report.html")

        assert not again
        assert changed
        assert Path(path).read_text() == "two"

    def test_refuses_a_folder_without_a_report(self, uri: str, tmp_path: Path) -> None:
        with pytest.raises(RecorderError, match=r"holds no report\.html; `tuner report digits` makes it"):
            log_report("digits", tmp_path, Tracking(uri, "digits", Held(recorded())))


def report_folder(path: Path, text: str) -> Path:
    folder = path / "digits"
    folder.mkdir(exist_ok=True)
    for name, content in {"report.html": text, "steps.png": "png", "steps.svg": "svg", "notes.txt": "no"}.items():
        (folder / name).write_text(content)
    return folder

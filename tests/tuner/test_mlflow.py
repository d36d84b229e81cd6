"""The MLflow recorder and `sync` on a real SQLite tracking database, read back with MLflow's own client."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from tests.tuner.recorded import POINT, Recorded, recorded, widened
from tuner.errors import RecorderError
from tuner.recorders import Notice, StudyStarted
from tuner.recorders.mlflow import MlflowRecorder
from tuner.recorders.run_content import study_run
from tuner.recorders.sync import SyncCounts, log_report, sync
from tuner.recorders.tracking import shown_uri
from tuner.records import Curve, StudyRecord


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow needs over a second to lay out its tables: once is enough."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(empty_database: Path, tmp_path: Path) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def send(what: Recorded, uri: str, *, stop_after: int | None = None) -> list[Notice]:
    """Record all events, or the first few; what the user was told."""
    told: list[Notice] = []
    recorder = MlflowRecorder(uri, tell=told.append, patience=60)
    recorder.open(what.experiment)
    for event in list(what.events())[:stop_after]:
        recorder.record(event)
    recorder.close()
    return told


def runs(uri: str, filter: str = "", *, name: str = "digits") -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], filter_string=filter))


def snapshot(uri: str) -> dict[str, object]:
    """Everything MLflow has of the experiment's runs, by run id."""
    client = MlflowClient(tracking_uri=uri)
    return {
        run.info.run_id: (
            run.info.run_name,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.tags,
            run.data.params,
            {
                name: [
                    (each.step, each.timestamp, each.value) for each in client.get_metric_history(run.info.run_id, name)
                ]
                for name in run.data.metrics
            },
        )
        for run in runs(uri)
    }


def by_name(uri: str) -> dict[str, object]:
    """The same, without what differs between two databases: run ids."""
    return {
        value[0]: (*value[1:4], {key: tag for key, tag in value[4].items() if key != "mlflow.parentRunId"}, *value[5:])
        for value in snapshot(uri).values()
        if isinstance(value, tuple)
    }


class TestMlflowRecorder:
    def test_stores_a_trial_as_a_whole_run(self, uri: str) -> None:
        told = send(recorded(measurements=5), uri)
        (run,) = runs(uri, "tags.`tuner.trial` = 'digits/batch_size=64/round=1/trial=1'")

        assert told == []
        assert run.info.status == "FINISHED"
        assert run.info.end_time - run.info.start_time == 1000
        assert run.data.params == {"batch_size": "64"} | {name: str(value) for name, value in POINT.items()}
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

        recorder = MlflowRecorder(uri, tell=lambda notice: None, patience=60)
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

    def test_restores_a_deleted_experiment(self, uri: str) -> None:
        client = MlflowClient(tracking_uri=uri)
        client.delete_experiment(client.create_experiment("digits"))
        told = send(recorded(), uri)

        assert told == []
        assert len(runs(uri)) == 10

    def test_drops_trials_when_the_backlog_is_full_and_says_so_once(self, uri: str) -> None:
        told: list[Notice] = []
        recorder = MlflowRecorder(uri, tell=told.append, backlog=1, patience=60)
        what = recorded(trials=30)
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


class TestSync:
    def test_creates_what_the_recorder_would_have(self, uri: str, empty_database: Path, tmp_path: Path) -> None:
        (tmp_path / "other.db").write_bytes(empty_database.read_bytes())
        other = f"sqlite:///{tmp_path / 'other.db'}"
        what = recorded()
        send(what, uri)
        counts = sync(what.record, what.curves, tracking_uri=other)

        assert counts == SyncCounts(created=10, completed=0, removed=0, present=0)
        assert by_name(other) == by_name(uri)

    @pytest.mark.parametrize("sent", [None, 0, 3, 8])
    def test_changes_nothing_the_second_time(self, uri: str, sent: int | None) -> None:
        what = recorded()
        send(what, uri, stop_after=sent)
        sync(what.record, what.curves, tracking_uri=uri)
        before = snapshot(uri)
        counts = sync(what.record, what.curves, tracking_uri=uri)

        assert counts == SyncCounts(created=0, completed=0, removed=0, present=10)
        assert counts.sentence == "0 runs created, 0 completed, 10 there already"
        assert snapshot(uri) == before

    def test_changes_nothing_after_a_recorder_that_sent_everything(self, uri: str) -> None:
        what = recorded()
        send(what, uri)
        before = snapshot(uri)
        counts = sync(what.record, what.curves, tracking_uri=uri)

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
        counts = sync(what.record, what.curves, tracking_uri=uri)
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
        counts = sync(what.record, what.curves, tracking_uri=uri)

        assert counts == SyncCounts(created=0, completed=0, removed=1, present=10)
        assert counts.sentence.endswith("1 second copies removed")
        assert snapshot(uri) == expected

    def test_leaves_runs_of_others_alone(self, uri: str) -> None:
        client = MlflowClient(tracking_uri=uri)
        theirs = client.create_run(client.create_experiment("digits"), tags={"batch_size": "64"})
        what = recorded()
        sync(what.record, what.curves, tracking_uri=uri)

        assert client.get_run(theirs.info.run_id).info.status == "RUNNING"
        assert len(runs(uri)) == 11

    def test_does_not_take_another_stores_trials_for_these(self, uri: str) -> None:
        earlier = recorded()
        what = recorded()
        send(what, uri)
        moved = replace(earlier.record, studies=tuple(map(later, earlier.record.studies)))
        counts = sync(moved, earlier.curves, tracking_uri=uri)

        assert counts.created == 8
        assert len(runs(uri)) == 18

    def test_brings_trials_back_under_their_study_when_its_run_was_deleted(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        send(what, uri)
        (study,) = runs(uri, "tags.`tuner.study` LIKE '%'")
        MlflowClient(tracking_uri=uri).delete_run(study.info.run_id)
        counts = sync(what.record, what.curves, tracking_uri=uri)
        (parent,) = runs(uri, "tags.`tuner.study` LIKE '%'")

        assert counts == SyncCounts(created=1, completed=4, removed=0, present=0)
        assert len(runs(uri, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")) == 4

    def test_asks_for_no_curves_when_nothing_is_missing(self, uri: str) -> None:
        what = recorded()
        send(what, uri)

        def refuse(batch_size: int, *, round: int) -> Mapping[int, Curve]:
            raise AssertionError(f"asked for the curves of batch size {batch_size}")

        assert sync(what.record, refuse, tracking_uri=uri).present == 10

    def test_skips_a_study_without_a_finished_trial(self, uri: str) -> None:
        what = recorded(batch_sizes=(64,))
        bare = tuple(replace(each, complete=False, trials=()) for each in what.record.studies)
        counts = sync(replace(what.record, studies=bare), what.curves, tracking_uri=uri)

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
        sync(what.record, what.curves, tracking_uri=uri)
        before = snapshot(uri)
        studies = {run.info.run_name: run for run in runs(uri, "tags.`tuner.study` LIKE '%'")}
        children = {
            name: len(runs(uri, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")) for name, run in studies.items()
        }

        assert children == {"batch_size=64": 4, "batch_size=64 round=2": 4}
        assert {run.info.status for run in studies.values()} == {"FINISHED"}
        assert [run.data.metrics["best_steps"] for _, run in sorted(studies.items())] == [30, 15]
        assert {run.data.metrics["trials"] for run in studies.values()} == {4}
        assert sync(what.record, what.curves, tracking_uri=uri).present == 10
        assert snapshot(uri) == before

    def test_the_recorder_ends_a_round_when_the_next_is_opened(self, uri: str) -> None:
        what = widened(recorded(batch_sizes=(64,)))
        send(what, uri)
        before = snapshot(uri)

        assert sync(what.record, what.curves, tracking_uri=uri) == SyncCounts(0, 0, 0, present=10)
        assert snapshot(uri) == before


class TestLogReport:
    def test_stores_the_page_and_its_figures_beside_the_database(self, uri: str, tmp_path: Path) -> None:
        folder = report_folder(tmp_path, "one")
        stored = log_report("digits", folder, tracking_uri=uri)
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
        log_report("digits", report_folder(tmp_path, "one"), tracking_uri=uri)
        again = log_report("digits", report_folder(tmp_path, "one"), tracking_uri=uri)
        changed = log_report("digits", report_folder(tmp_path, "two"), tracking_uri=uri)
        (run,) = runs(uri, "tags.`tuner.report` LIKE '%'")
        path = MlflowClient(tracking_uri=uri).download_artifacts(run.info.run_id, "report.html")

        assert not again
        assert changed
        assert Path(path).read_text() == "two"

    def test_refuses_a_folder_without_a_report(self, uri: str, tmp_path: Path) -> None:
        with pytest.raises(RecorderError, match=r"holds no report\.html; `tuner report digits` makes it"):
            log_report("digits", tmp_path, tracking_uri=uri)


def report_folder(path: Path, text: str) -> Path:
    folder = path / "digits"
    folder.mkdir(exist_ok=True)
    for name, content in {"report.html": text, "steps.png": "png", "steps.svg": "svg", "notes.txt": "no"}.items():
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("sqlite:///runs/mlflow.db", "sqlite:///runs/mlflow.db"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("https://ada:p@ss:word@host/path", "https://ada@host/path"),
        ("https://:secret@host", "https://@host"),
        ("postgresql://ada@host/mlflow?password=secret", "postgresql://ada@host/mlflow"),
    ],
)
def test_a_shown_uri_holds_no_password(uri: str, shown: str) -> None:
    assert shown_uri(uri) == shown


def test_an_error_does_not_show_the_password() -> None:
    what = recorded()
    with pytest.raises(RecorderError, match=r"MLflow at nonsense://ada@host cannot be used") as error:
        sync(what.record, what.curves, tracking_uri="nonsense://ada:secret@host")

    assert "secret" not in str(error.value)

"""What `tuner sync` says and does when something was deleted in MLflow."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.tuner.recorded import Held, Recorded, recorded
from tests.tuner.recorders.mlflow.tracked import runs, send, snapshot
from tuner.recorders.mlflow.sync import SyncCounts
from tuner.service.syncing import Synced, sync_experiment


def synced(what: Recorded, uri: str, folder: Path, *, restore: bool = False) -> list[str]:
    """What is said."""
    return list(sync_experiment(Held(what), "digits", tracking_uri=uri, folder=folder, restore=restore).lines)


def test_a_deleted_experiment_stays_deleted_until_it_is_asked_for(uri: str, tmp_path: Path) -> None:
    what = recorded()
    send(what, uri)
    synced(what, uri, tmp_path)
    before = snapshot(uri)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)

    assert synced(what, uri, tmp_path) == [
        "the experiment digits was deleted in MLflow, with 10 runs; `tuner sync digits --restore` makes it again"
    ]
    assert client.get_experiment(experiment.experiment_id).lifecycle_stage == "deleted"
    assert synced(what, uri, tmp_path, restore=True) == ["0 runs created, 0 completed, 10 there already"]
    assert snapshot(uri) == before


def test_deleted_runs_are_counted_and_the_report_among_them_comes_back_when_asked_for(uri: str, tmp_path: Path) -> None:
    what = recorded()
    (tmp_path / "report.html").write_text("the report")
    send(what, uri)
    synced(what, uri, tmp_path)
    client = MlflowClient(tracking_uri=uri)
    gone = [*runs(uri, "tags.`tuner.report` LIKE '%'"), runs(uri, "tags.`tuner.trial` LIKE '%'")[0]]
    for run in gone:
        client.delete_run(run.info.run_id)

    assert synced(what, uri, tmp_path) == [
        "0 runs created, 0 completed, 9 there already",
        "2 runs were deleted in MLflow and stay out; `tuner sync digits --restore` makes them again",
    ]
    assert len(runs(uri)) == 9
    assert synced(what, uri, tmp_path, restore=True) == [
        "0 runs created, 0 completed, 9 there already, 1 restored",
    ]
    assert len(runs(uri)) == 11


def test_a_sync_that_takes_long_says_how_far_it_is(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.recorders.mlflow.sync.TOLD_EVERY_SECONDS", -1.0)
    told: list[str] = []
    sync_experiment(Held(recorded()), "digits", tracking_uri=uri, folder=tmp_path, tell=told.append)

    assert told[0] == "2 of about 10 runs are brought to MLflow or found there"
    assert told[-1] == "10 of about 10 runs are brought to MLflow or found there"


def test_what_mlflow_does_not_take_is_said_in_one_line() -> None:
    done = Synced("digits", SyncCounts(1, 0, 0, 2, deleted=2), left_out="MLflow does not take F1@0.5")

    assert list(done.lines) == [
        "1 runs created, 0 completed, 2 there already",
        "2 runs were deleted in MLflow and stay out; `tuner sync digits --restore` makes them again",
        "MLflow does not take F1@0.5",
    ]

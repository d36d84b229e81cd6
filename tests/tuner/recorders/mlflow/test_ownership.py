"""Several stores and one MLflow: each has its own runs there, whoever comes first and however often they are synced."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.tuner.recorded import Held, Recorded, recorded
from tests.tuner.recorders.mlflow.tracked import runs, send, snapshot
from tuner.analysis.summary import results
from tuner.recorders.mlflow.overview import NOTE_TAG, log_answers, log_report
from tuner.recorders.mlflow.ownership import STORE_TAG, own_name
from tuner.recorders.mlflow.run_content import STUDY_TAG, TRIAL_TAG
from tuner.recorders.mlflow.runs import Deleted, Tracking
from tuner.recorders.mlflow.sync import SyncCounts, sync
from tuner.records import StudyRecord
from tuner.service.syncing import sync_experiment

ALL_THERE = SyncCounts(created=0, completed=0, removed=0, present=10)


def later(what: Recorded, *, hours: int = 1) -> Recorded:
    """The same preset, run in another store at another time: the same points, seeds and settings."""
    studies = tuple(_moved(each, timedelta(hours=hours)) for each in what.record.studies)
    return Recorded(replace(what.record, studies=studies), what.by_round)


def _moved(study: StudyRecord, by: timedelta) -> StudyRecord:
    trials = (
        replace(each, started=each.started + by, ended=(each.ended or each.started) + by) for each in study.trials
    )
    return replace(study, trials=tuple(trials))


ANN = Held(recorded(), "ann")
BOB = Held(later(recorded()), "bob")
BOBS = own_name("digits", BOB.identity())


def synced(held: Held, uri: str, *, restore: bool = False) -> SyncCounts:
    """What became of a store's runs."""
    deleted = Deleted.WHOLE if restore else Deleted.STAYS
    tracking = Tracking(uri, "digits", held, deleted=deleted)
    return sync(held.what.record, held.what.curves, tracking, restore=restore)


def forget_stores(uri: str) -> None:
    """Leave MLflow as earlier versions did: nothing says which store anything is of."""
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database, database:
        for table in ("tags", "experiment_tags"):
            database.execute(f"DELETE FROM {table} WHERE key = ?", (STORE_TAG,))


def of(uri: str, *, name: str = "digits") -> dict[str, int]:
    """How many runs in an MLflow experiment are of which store; those of none under an empty name."""
    found: dict[str, int] = {}
    for run in runs(uri, name=name):
        found[run.data.tags.get(STORE_TAG, "")] = found.get(run.data.tags.get(STORE_TAG, ""), 0) + 1
    return found


def experiments(uri: str) -> set[str]:
    return {each.name for each in MlflowClient(tracking_uri=uri).search_experiments()} - {"Default"}


def without_store(uri: str) -> dict[str, object]:
    """Everything that MLflow has of the runs, but for the tag that says whose they are."""
    plain: dict[str, object] = {}
    for key, value in snapshot(uri).items():
        assert isinstance(value, tuple)
        plain[key] = (*value[:4], {name: each for name, each in value[4].items() if name != STORE_TAG}, *value[5:])
    return plain


class TestTwoStores:
    @pytest.mark.parametrize("sent", [None, 4])
    def test_each_has_its_own_runs_in_an_experiment_of_its_own(self, uri: str, sent: int | None) -> None:
        send(ANN.what, uri, held=ANN)
        told = send(BOB.what, uri, stop_after=sent, held=BOB)
        counts = [synced(each, uri) for each in (ANN, BOB, ANN, BOB)]

        assert counts[0] == counts[2] == counts[3] == ALL_THERE
        assert counts[1].removed == 0
        assert of(uri) == {ANN.identity(): 10}
        assert of(uri, name=BOBS) == {BOB.identity(): 10}
        assert [each.text for each in told] == [
            f"in MLflow digits holds runs that this store does not have; its own are in `{BOBS}`."
        ]

    def test_what_one_does_leaves_the_other_as_it_was(self, uri: str, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text("Ann's")
        log_report("digits", tmp_path, Tracking(uri, "digits", ANN))
        send(ANN.what, uri, held=ANN)
        log_answers(results(ANN.what.record), Tracking(uri, "digits", ANN))
        before, tags = snapshot(uri), MlflowClient(tracking_uri=uri).get_experiment_by_name("digits")
        (tmp_path / "report.html").write_text("Bob's")
        log_report("digits", tmp_path, Tracking(uri, "digits", BOB))
        log_answers(results(BOB.what.record), Tracking(uri, "digits", BOB))
        synced(BOB, uri, restore=True)

        assert snapshot(uri) == before
        after = MlflowClient(tracking_uri=uri).get_experiment_by_name("digits")
        assert tags is not None
        assert after is not None
        assert after.tags == tags.tags

    def test_sync_says_where_the_runs_are(self, uri: str, tmp_path: Path) -> None:
        said = {}
        for each in (ANN, BOB):
            said[each.name] = list(sync_experiment(each, "digits", tracking_uri=uri, folder=tmp_path).lines)

        assert said["ann"] == ["10 runs created, 0 completed, 0 there already"]
        assert said["bob"] == [
            f"in MLflow digits holds runs that this store does not have; its own are in `{BOBS}`",
            "10 runs created, 0 completed, 0 there already",
        ]

    def test_a_store_keeps_its_experiment_when_the_other_ones_is_gone_or_renamed(self, uri: str) -> None:
        synced(ANN, uri)
        synced(BOB, uri)
        client = MlflowClient(tracking_uri=uri)
        client.rename_experiment(Tracking(uri, "digits", ANN).experiment_id, "Ann's digits")

        assert synced(BOB, uri) == ALL_THERE
        assert experiments(uri) == {"Ann's digits", BOBS}

    def test_a_deleted_experiment_of_another_store_is_not_brought_back(self, uri: str) -> None:
        synced(ANN, uri)
        client = MlflowClient(tracking_uri=uri)
        client.delete_experiment(Tracking(uri, "digits", ANN).experiment_id)
        send(BOB.what, uri, held=BOB)
        synced(BOB, uri, restore=True)

        assert experiments(uri) == {BOBS}
        assert synced(ANN, uri) == SyncCounts(0, 0, 0, 0, deleted=10)

    def test_a_store_that_is_begun_anew_leaves_the_runs_of_its_predecessor_where_they_are(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)
        before = snapshot(uri)
        anew = Held(later(recorded(), hours=24), "ann, after rm -r runs")
        send(anew.what, uri, held=anew)

        assert snapshot(uri) == before
        assert synced(anew, uri) == ALL_THERE
        assert of(uri, name=own_name("digits", anew.identity())) == {anew.identity(): 10}

    def test_a_copy_of_a_store_is_the_same_store(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)

        assert synced(Held(ANN.what, "ann"), uri) == ALL_THERE
        assert experiments(uri) == {"digits"}

    def test_two_that_make_it_at_once_have_one_each(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bob's makes it after Ann's has looked and found none."""
        make = MlflowClient.create_experiment
        late: Iterator[Held] = iter([BOB])

        def overtaken(client: MlflowClient, name: str, **given: object) -> str:
            for each in late:
                Tracking(uri, "digits", each)
            return make(client, name, **given)  # type: ignore[arg-type]

        monkeypatch.setattr(MlflowClient, "create_experiment", overtaken)

        assert Tracking(uri, "digits", ANN).name == own_name("digits", ANN.identity())
        assert Tracking(uri, "digits", BOB).name == "digits"


class TestRunsOfEarlierVersions:
    def test_are_adopted_by_the_store_whose_trials_they_are(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)
        forget_stores(uri)
        before = without_store(uri)
        counts = [synced(each, uri) for each in (BOB, ANN, BOB, ANN)]

        assert counts == [SyncCounts(10, 0, 0, 0), ALL_THERE, ALL_THERE, ALL_THERE]
        assert of(uri) == {ANN.identity(): 10}
        assert of(uri, name=BOBS) == {BOB.identity(): 10}
        assert without_store(uri) == before

    def test_of_two_stores_in_one_experiment_stay_there_and_are_told_apart(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)
        send(BOB.what, uri, held=Held(BOB.what, "ann"))  # one MLflow experiment for both, as it was
        client = MlflowClient(tracking_uri=uri)
        assert len(runs(uri, f"tags.`{STUDY_TAG}` LIKE '%'")) == 2  # Bob's studies were taken for Ann's
        forget_stores(uri)
        counts = [synced(each, uri) for each in (ANN, BOB, ANN, BOB)]

        assert counts[2:] == [ALL_THERE, ALL_THERE]
        assert [each.removed for each in counts] == [0] * 4
        assert of(uri) == {ANN.identity(): 10, BOB.identity(): 10}
        assert experiments(uri) == {"digits"}
        log_answers(results(ANN.what.record), Tracking(uri, "digits", ANN))
        anns = client.get_experiment_by_name("digits")
        log_answers(replace(results(BOB.what.record), studies=()), Tracking(uri, "digits", BOB))
        bobs = client.get_experiment_by_name("digits")
        assert anns is not None
        assert bobs is not None
        assert NOTE_TAG in anns.tags
        assert bobs.tags == anns.tags

    def test_of_two_stores_that_were_deleted_together_are_left_to_the_first(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)
        send(BOB.what, uri, held=Held(BOB.what, "ann"))
        forget_stores(uri)
        synced(ANN, uri)
        synced(BOB, uri)
        MlflowClient(tracking_uri=uri).delete_experiment(Tracking(uri, "digits", ANN).experiment_id)

        assert synced(BOB, uri, restore=True) == SyncCounts(10, 0, 0, 0)
        assert experiments(uri) == {BOBS}
        assert synced(ANN, uri) == SyncCounts(0, 0, 0, 0, deleted=10)

    def test_are_not_those_of_a_store_that_has_none_yet(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)
        forget_stores(uri)
        bare = tuple(replace(each, complete=False, trials=()) for each in ANN.what.record.studies)
        new = Held(replace(ANN.what, record=replace(ANN.what.record, studies=bare)), "new")

        assert Tracking(uri, "digits", new).name == own_name("digits", new.identity())
        assert synced(ANN, uri) == ALL_THERE

    def test_are_gone_on_with_by_a_run(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN, stop_after=5)
        forget_stores(uri)
        send(ANN.what, uri, held=ANN)

        assert experiments(uri) == {"digits"}
        assert len(runs(uri, f"tags.`{STUDY_TAG}` LIKE '%'")) == 2

    def test_that_were_deleted_stay_so(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)
        client = MlflowClient(tracking_uri=uri)
        client.delete_run(runs(uri, f"tags.`{TRIAL_TAG}` LIKE '%'")[0].info.run_id)
        forget_stores(uri)

        assert synced(ANN, uri) == replace(ALL_THERE, present=9, deleted=1)
        assert synced(ANN, uri, restore=True) == replace(ALL_THERE, present=9, restored=1)
        assert synced(ANN, uri) == ALL_THERE
        assert of(uri) == {ANN.identity(): 10}

    @pytest.mark.parametrize(("tag", "value"), [("seed", "17"), ("point", "9"), (TRIAL_TAG, "digits/trial=1")])
    def test_that_are_of_no_store_that_is_known_are_left_alone(self, uri: str, tag: str, value: str) -> None:
        send(ANN.what, uri, held=ANN)
        client = MlflowClient(tracking_uri=uri)
        other = runs(uri, f"tags.`{TRIAL_TAG}` LIKE '%'")[0]
        client.set_tag(other.info.run_id, tag, value)
        forget_stores(uri)
        before = client.get_run(other.info.run_id).to_dictionary()
        counts = synced(ANN, uri)

        assert counts == replace(ALL_THERE, created=1, present=9)
        assert client.get_run(other.info.run_id).to_dictionary() == before

    def test_whose_measurements_are_others_are_left_alone(self, uri: str) -> None:
        send(ANN.what, uri, held=ANN)
        forget_stores(uri)
        client = MlflowClient(tracking_uri=uri)
        other = runs(uri, f"tags.`{TRIAL_TAG}` LIKE '%'")[0]
        client.log_metric(other.info.run_id, "steps_spent", 7.0, step=1000)

        assert synced(ANN, uri).created == 1
        assert STORE_TAG not in client.get_run(other.info.run_id).data.tags

    def test_with_their_report_are_gone_on_with(self, uri: str, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text("one")
        send(ANN.what, uri, held=ANN)
        log_report("digits", tmp_path, Tracking(uri, "digits", ANN))
        forget_stores(uri)

        assert not log_report("digits", tmp_path, Tracking(uri, "digits", ANN))
        assert of(uri)[ANN.identity()] >= 1

    def test_an_experiment_that_somebody_has_made_for_us_is_taken(self, uri: str) -> None:
        client = MlflowClient(tracking_uri=uri)
        theirs = client.create_run(client.create_experiment("digits")).info.run_id
        synced(ANN, uri)

        assert of(uri) == {ANN.identity(): 10, "": 1}
        assert client.get_run(theirs).info.status == "RUNNING"

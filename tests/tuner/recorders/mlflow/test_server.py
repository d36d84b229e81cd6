"""The MLflow recorder over HTTP: a real server, no server, and one that never answers."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.commands import free_port
from tests.servers import MlflowServer
from tests.tuner.recorded import Held, Recorded, recorded
from tuner.analysis.summary import results
from tuner.errors import RecorderError
from tuner.recorders import Notice
from tuner.recorders.mlflow.overview import log_answers, log_report
from tuner.recorders.mlflow.recorder import MlflowRecorder
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.mlflow.sync import SyncCounts, sync


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server on loopback, with one worker."""
    started = MlflowServer(tmp_path_factory.mktemp("server"))
    started.start()
    yield started.url
    started.stop()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers: what a server behind a broken proxy looks like."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with an error of the server's."""

    def refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(500)
        self.end_headers()
        self.wfile.write(b"the database is locked")

    do_GET = do_POST = do_PATCH = refuse  # noqa: N815 - as http.server calls them

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def refusing_server() -> Iterator[str]:
    """A server that is there and cannot do anything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are given up after a second."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def send(what: Recorded, uri: str, *, patience: float) -> tuple[list[Notice], float]:
    """Record all events; what the user was told, and the seconds that telling the recorder and closing it took."""
    told: list[Notice] = []
    recorder = MlflowRecorder(uri, Held(what).open, tell=told.append, patience=patience)
    started = time.monotonic()
    recorder.open(what.experiment)
    for event in what.events():
        recorder.record(event)
    recorder.close()
    return told, time.monotonic() - started


def test_a_server_gets_what_a_database_gets_and_sync_finds_nothing_to_do(server: str) -> None:
    what = recorded(trials=3)
    told, _ = send(what, server, patience=60)
    counts = sync(what.record, what.curves, Tracking(server, "digits", Held(what)))
    client = MlflowClient(tracking_uri=server)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.`tuner.trial` LIKE '%batch_size=64/%trial=1'")
    history = client.get_metric_history(run.info.run_id, "validation/error")

    assert [each.text for each in told if "waiting for MLflow" not in each.text] == []
    assert counts == SyncCounts(created=0, completed=0, removed=0, present=8)
    assert [(each.step, each.value) for each in history] == [
        (each.step, each.metrics["validation/error"]) for each in what.curves(64)[1]
    ]


def test_two_stores_have_an_experiment_each(server: str) -> None:
    what = recorded(trials=3)
    named = replace(what, record=replace(what.record, experiment=replace(what.experiment, name="shared")))
    ann, bob = Held(named, "ann"), Held(named, "bob")
    counts = []
    for each in (ann, bob, ann, bob):
        tracking = Tracking(server, "shared", each)
        counts.append(sync(each.what.record, each.what.curves, tracking))
        log_answers(results(each.what.record), tracking)

    assert [each.created for each in counts] == [8, 8, 0, 0]
    assert [each.present for each in counts] == [0, 0, 8, 8]
    assert [Tracking(server, "shared", each).name for each in (ann, bob)] == [
        "shared",
        f"shared (store {bob.identity()[:8]})",
    ]


def test_a_server_keeps_the_report(server: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("the report")
    stored = log_report("reported", tmp_path, Tracking(server, "reported", Held(recorded())))
    again = log_report("reported", tmp_path, Tracking(server, "reported", Held(recorded())))
    client = MlflowClient(tracking_uri=server)
    experiment = client.get_experiment_by_name("reported")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])

    assert (stored, again) == (True, False)
    assert Path(client.download_artifacts(run.info.run_id, "report.html")).read_text() == "the report"


def test_an_unreachable_server_is_told_of_once_and_keeps_nobody_waiting(hasty: None) -> None:
    uri = f"http://ada:secret@127.0.0.1:{free_port()}"
    told, seconds = send(recorded(trials=50), uri, patience=60)

    assert [each.text for each in told] == [
        f"MLflow at {uri.replace('ada:secret@', '')} cannot be used: Connection refused. "
        "Training goes on; `tuner sync digits` adds what is missing."
    ]
    assert seconds < 10


def test_a_server_that_never_answers_is_told_of_once(hasty: None, silent_server: str) -> None:
    told, seconds = send(recorded(trials=50), silent_server, patience=60)

    assert len(told) == 1
    assert "timed out" in told[0].text
    assert seconds < 10


def test_a_server_that_answers_errors_is_told_of_once(hasty: None, refusing_server: str) -> None:
    told, seconds = send(recorded(trials=50), refusing_server, patience=60)

    (notice,) = told
    assert notice.text.startswith(f"MLflow at {refusing_server} cannot be used: ")
    assert "500" in notice.text
    assert notice.text.endswith(". Training goes on; `tuner sync digits` adds what is missing.")
    assert seconds < 10


def test_closing_waits_no_longer_than_its_patience(silent_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told, seconds = send(recorded(), silent_server, patience=0.5)

    assert [each.text for each in told] == [
        "MLflow is not done after 0.5 seconds. Training goes on; `tuner sync digits` adds what is missing."
    ]
    assert 0.5 <= seconds < 4


def test_sync_says_which_server_cannot_be_reached(hasty: None) -> None:
    what = recorded()
    port = free_port()

    with pytest.raises(RecorderError, match=f"MLflow at http://127.0.0.1:{port} cannot be used: Connection refused"):
        sync(what.record, what.curves, Tracking(f"http://127.0.0.1:{port}", "digits", Held(what)))

"""MLflow servers that are broken in every way: nothing waits long for them, and it is said what is the matter."""

import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.bad_mlflow import FAULTS, Fault, bad_server
from tests.commands import free_port
from tests.tuner.recorded import Held, Recorded, recorded
from tests.tuner.recorders.mlflow.tracked import runs
from tuner.errors import RecorderError
from tuner.recorders import Notice
from tuner.recorders.mlflow.connection import ping
from tuner.recorders.mlflow.recorder import MlflowRecorder, Outage
from tuner.recorders.patience import Patience
from tuner.service.syncing import sync_experiment

SLACK_SECONDS = 15.0
"""A busy machine is no failure; the client's own retries last for minutes."""


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client itself waits for longer than anybody should."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")


def record(what: Recorded, uri: str, *, outage: Outage, patience: float = 30.0) -> tuple[list[str], float]:
    """Record all events; what was said, and the seconds that closing took."""
    told: list[Notice] = []
    recorder = MlflowRecorder(
        uri, Held(what).open, tell=told.append, patience=patience, answer_seconds=1.0, outage=outage
    )
    recorder.open(what.experiment)
    for event in what.events():
        recorder.record(event)
    began = time.monotonic()
    recorder.close()
    assert recorder.has_failed or not told
    return [each.text for each in told], time.monotonic() - began


@pytest.mark.parametrize("fault", FAULTS)
def test_sync_gives_up_in_time_and_says_what_to_do(fault: Fault, tmp_path: Path) -> None:
    held = Held(recorded())
    with bad_server(fault) as server:
        began = time.monotonic()
        with pytest.raises(
            RecorderError, match=rf"^MLflow at {server.url} cannot be used: .*; `tuner sync digits` goes"
        ):
            sync_experiment(held, "digits", tracking_uri=server.url, folder=tmp_path, patience=1.0)

        assert time.monotonic() - began < 1.0 + SLACK_SECONDS


@pytest.mark.parametrize("fault", FAULTS)
def test_closing_waits_for_one_answer_and_no_longer(fault: Fault) -> None:
    with bad_server(fault) as server:
        told, seconds = record(recorded(), server.url, outage=Outage())

    (line,) = told
    assert line.startswith(f"MLflow at {server.url} cannot be used: ")
    assert line.endswith(". Training goes on; `tuner sync digits` adds what is missing.")
    assert seconds < 1.0 + SLACK_SECONDS


def test_a_server_that_asks_to_be_left_alone_is_not_waited_for_by_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with bad_server("throttling") as server, pytest.raises(RecorderError, match=r"used: too many 429 error responses$"):
        ping(server.url, Patience(60))


def test_a_dead_server_is_found_once_and_not_waited_for_at_each_study() -> None:
    outage = Outage()
    with bad_server("silent") as server:
        studies = [record(recorded(), server.url, outage=outage, patience=0.5) for _ in range(4)]

    assert [len(told) for told, _ in studies] == [1, 0, 0, 0]
    assert sum(seconds for _, seconds in studies[1:]) < 1.0
    assert server.connections == 1


def test_a_server_is_tried_again_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("tuner.recorders.mlflow.recorder.time.monotonic", lambda: now[0])
    outage = Outage()
    rests = []
    for _ in range(9):
        outage.fail()
        began = now[0]
        while outage.rests:
            now[0] += 1
        rests.append(now[0] - began)
    outage.end()

    assert rests == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert not outage.is_on


def test_it_is_said_that_mlflow_can_be_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.recorders.mlflow.recorder.PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("tuner.recorders.mlflow.recorder.PROBE_SECONDS", 60.0)
    outage, uri = Outage(), f"sqlite:///{tmp_path}/blocked/mlflow.db"
    (tmp_path / "blocked").write_text("a file where a folder should be")
    before, _ = record(recorded(batch_sizes=(64,)), uri, outage=outage)
    (tmp_path / "blocked").unlink()
    told: list[Notice] = []
    what = recorded(batch_sizes=(64,))
    recorder = MlflowRecorder(uri, Held(what).open, tell=told.append, patience=60, outage=outage)
    recorder.open(what.experiment)
    for event in what.events():
        recorder.record(event)
    recorder.close()

    assert len(before) == 1
    assert [each.text for each in told if "waiting" not in each.text] == [
        "MLflow can be used again; `tuner sync digits` adds what is missing."
    ]
    assert len(runs(uri)) == 5


@pytest.mark.parametrize("database", ["wrong password", "nobody there"])
def test_mlflows_own_attempts_at_a_database_are_not_waited_for(database: str, request: pytest.FixtureRequest) -> None:
    """It tries ten times, for two minutes."""
    url = f"postgresql://ann:wrong@127.0.0.1:{free_port()}/mlflow"
    if database == "wrong password":
        url = make_url(request.getfixturevalue("locked_url")).set(password="wrong").render_as_string(False)
    began = time.monotonic()
    expected = "password authentication failed" if database == "wrong password" else "onnection refused"

    with pytest.raises(RecorderError, match=expected) as raised:
        ping(url, Patience(60))
    assert time.monotonic() - began < SLACK_SECONDS
    assert "wrong@" not in str(raised.value)


def test_a_database_that_never_answers_is_given_up() -> None:
    with bad_server("silent") as server, pytest.raises(RecorderError, match="used: no answer within 1 seconds"):
        ping(f"postgresql://ann@127.0.0.1:{server.port}/mlflow", Patience(1))

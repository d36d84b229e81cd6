"""The web pages that are served: how they start, end, and leave the record alone."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.commands import arguments, free_port, processes_below, read_until, started, tuner
from tuner.service.locations import dashboard_names

READY = {"dashboard": "optuna-dashboard on http://127.0.0.1:", "mlflow": "Uvicorn running on http://127.0.0.1:"}
"""What is said when the pages can be seen."""


@pytest.fixture(scope="module")
def dashboard(finished: Path) -> Iterator[int]:
    """The port of a dashboard on the toy's store."""
    port = free_port()
    with started(finished, "dashboard", "--port", str(port)) as server:
        read_until(server, READY["dashboard"])
        yield port


def listed(port: int) -> list[str]:
    """The names of the studies that optuna-dashboard lists."""
    with urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=30) as answer:
        return [each["study_name"] for each in json.load(answer)["study_summaries"]]


def asked(port: int, name: str) -> int:
    """The status of an answer to a request for a server of this name."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/api/studies", headers={"Host": name})
        return connection.getresponse().status


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("page", READY)
def test_a_server_ends_cleanly_with_all_it_started_when_asked_to(
    finished: Path, page: str, sign: signal.Signals
) -> None:
    port = free_port()
    with started(finished, page, "--port", str(port)) as server:
        read_until(server, READY[page])
        children = processes_below(server.pid)
        shown = b"".join(map(arguments, {server.pid, *children}))
        with closing(socket.create_connection(("127.0.0.1", port))):  # a browser's, that waits for something to do
            server.send_signal(sign)
            said, _ = server.communicate(timeout=30)

    assert server.returncode == 0, said
    assert "Traceback" not in said
    assert bool(children) == (page == "mlflow")
    assert b".db" not in shown  # where the record is may hold a password
    assert not [each for each in children if Path(f"/proc/{each}").exists()]


@pytest.mark.parametrize("page", READY)
def test_a_port_that_is_taken_is_one_clear_line(finished: Path, page: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

        done = tuner(finished, page, "--port", str(port))

    assert done.returncode == 1
    assert done.stderr == (
        f"error: port {port} of 127.0.0.1 cannot be used: Address already in use; choose another --port\n"
    )
    assert done.stdout == ""


def test_a_port_beyond_all_ports_is_wrong_usage(finished: Path) -> None:
    assert tuner(finished, "dashboard", "--port", "65536").returncode == 2


def test_the_dashboard_answers_while_another_connection_is_idle(dashboard: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", dashboard))):
        names = listed(dashboard)

    searches = ["toy/batch_size=8/round=1", "toy/batch_size=16/round=1"]
    assert names == [*searches, *(f"{each} confirmation" for each in searches)]


def test_the_dashboard_changes_nothing_in_the_store(dashboard: int) -> None:
    before = listed(dashboard)
    with pytest.raises(HTTPError, match="403: Forbidden") as refused:
        urlopen(Request(f"http://127.0.0.1:{dashboard}/api/studies/1", method="DELETE"), timeout=30)

    assert json.load(refused.value) == {"reason": "the store is shown for looking only"}
    assert listed(dashboard) == before


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:{port}", "127.0.0.1:{port}", "[::1]:{port}", "192.168.1.7"])
def test_the_dashboard_answers_to_localhost_and_to_addresses(dashboard: int, name: str) -> None:
    assert asked(dashboard, name.format(port=dashboard)) == 200


@pytest.mark.parametrize(
    "name", ["evil.example:{port}", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", ""]
)
def test_a_page_that_lets_its_own_name_lead_to_the_dashboard_learns_nothing(dashboard: int, name: str) -> None:
    assert asked(dashboard, name.format(port=dashboard)) == 403


def test_the_dashboard_answers_to_the_names_that_it_is_given(finished: Path) -> None:
    port = free_port()
    with started(finished, "dashboard", "--port", str(port), "--allowed-hosts", "lab.example, *.lab") as server:
        read_until(server, READY["dashboard"])
        answers = [asked(port, each) for each in ("lab.example", "lab.example:443", "tuner.lab", "other.example")]

    assert answers == [200, 200, 200, 403]


def test_the_names_of_the_dashboard_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dashboard_names(None) == ()
    monkeypatch.setenv("TUNER_DASHBOARD_HOSTS", "lab.example,*.lab")

    assert dashboard_names(None) == ("lab.example", "*.lab")
    assert dashboard_names("other") == ("other",)


def test_there_is_nothing_to_show_before_anything_is_logged(tmp_path: Path) -> None:
    done = tuner(tmp_path, "mlflow")

    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no MLflow database runs/mlflow.db; `tuner run` makes it")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_tracking_server_is_named_without_its_password(tmp_path: Path) -> None:
    done = tuner(tmp_path, "mlflow", MLFLOW_TRACKING_URI="http://ann:secret@127.0.0.1:1")

    assert done.returncode == 1
    assert done.stderr == "error: MLflow is served already: open http://127.0.0.1:1 in a browser\n"


def test_a_user_interface_that_ends_by_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_text("no database at all, but long enough to be taken for one" * 100)

    done = tuner(tmp_path, "mlflow", "--mlflow", "sqlite:///broken.db", "--port", str(free_port()))

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the MLflow UI ended by itself with exit code 1"

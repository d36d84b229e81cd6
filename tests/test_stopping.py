"""Stopping: however its store behaves, a command ends in time once it has been told to, with all it has started."""

import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.commands import lives, processes_below, started, tuner
from tests.servers import PostgresqlServer
from tests.toy import SMALL

pytestmark = pytest.mark.slow

SLOW = SMALL.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\npause = 0.02')
MOST_SECONDS = 25.0
"""Within how many seconds of a first signal everything has ended: 20, and some for a busy machine."""
AT_ONCE = 8.0
"""Likewise, where it has to end at once."""


@pytest.fixture(scope="module")
def server() -> PostgresqlServer:
    """A server of our own, which may be stopped."""
    return PostgresqlServer(Path(tempfile.mkdtemp(prefix="tuner-postgres-")))


@pytest.fixture
def database(server: PostgresqlServer) -> str:
    """The URL of a fresh database."""
    name = f"stopping_{time.monotonic_ns()}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url.replace("/postgres?", f"/{name}?")


@dataclass
class Command:
    """A command at work."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def listen(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def wait_for(self, text: str) -> None:
        """Wait until it says this."""
        deadline = time.monotonic() + 100
        while not any(text in each for each in self.lines):
            assert time.monotonic() < deadline, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)

    def wait_for_socket(self) -> None:
        """Wait until it has called somebody."""
        deadline = time.monotonic() + 100
        while not any(_target(each).startswith("socket:") for each in Path(f"/proc/{self.process.pid}/fd").iterdir()):
            assert time.monotonic() < deadline
            assert self.process.poll() is None, self.said
            time.sleep(0.05)

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def seconds_until_it_has_ended(self, most: float = 100) -> float:
        """How long it and all it has started still take to end."""
        began, below = time.monotonic(), processes_below(self.process.pid)
        while time.monotonic() - began < most:
            if self.process.poll() is not None and not any(map(lives, below)):
                break
            time.sleep(0.05)
        return time.monotonic() - began


def _target(file: Path) -> str:
    """What an open file of a process is; empty if it has been closed since."""
    try:
        return str(file.readlink())
    except OSError:
        return ""


@contextmanager
def command(folder: Path, *arguments: str, toy: str = SLOW, **variables: str) -> Iterator[Command]:
    (folder / "toy.toml").write_text(toy)
    with started(folder, *arguments, **variables) as process:
        found = Command(process)
        thread = threading.Thread(target=found.listen, daemon=True)
        thread.start()
        yield found
    thread.join(10)


@contextmanager
def away(server: PostgresqlServer) -> Iterator[None]:
    """Within it, the server is not there."""
    server.crash()
    try:
        yield
    finally:
        server.start()


FAULTS: dict[str, Callable[[PostgresqlServer], AbstractContextManager[None]]] = {
    "away": away,
    "frozen": PostgresqlServer.frozen,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_whose_store_does_not_answer_ends_in_time(
    server: PostgresqlServer, database: str, tmp_path: Path, fault: str
) -> None:
    with command(tmp_path, "run", "toy.toml", "--workers", "2", TUNER_STORE=database) as run:
        run.wait_for("searching")
        with FAULTS[fault](server):
            run.interrupt()
            seconds = run.seconds_until_it_has_ended()
            run.process.wait(10)

    assert seconds < MOST_SECONDS, run.said
    assert run.process.returncode == 130
    assert "Traceback" not in run.said
    assert "interrupted; the store does not answer, so that there is no report: `tuner report toy` makes it" in run.said


def test_a_second_ctrl_c_ends_a_run_at_once(server: PostgresqlServer, database: str, tmp_path: Path) -> None:
    with command(tmp_path, "run", "toy.toml", "--workers", "2", TUNER_STORE=database) as run:
        run.wait_for("searching")
        with server.frozen():
            run.interrupt()
            run.wait_for("stopping")
            time.sleep(1.5)  # a signal that follows sooner is the same one
            run.interrupt()
            seconds = run.seconds_until_it_has_ended()
            run.process.wait(10)

    assert seconds < AT_ONCE, run.said
    assert run.process.returncode == 130
    assert "Traceback" not in run.said


@pytest.mark.parametrize(
    "arguments", [("run", "toy.toml"), ("submit", "toy.toml"), ("status",), ("results", "toy"), ("pause", "toy")]
)
def test_one_ctrl_c_ends_a_command_that_waits_for_its_store(
    server: PostgresqlServer, database: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with server.frozen(), command(tmp_path, *arguments, TUNER_STORE=database) as waiting:
        waiting.wait_for_socket()
        waiting.interrupt()
        seconds = waiting.seconds_until_it_has_ended()
        waiting.process.wait(10)

    assert seconds < AT_ONCE
    assert waiting.process.returncode == 130
    assert waiting.said.strip() in ("", "interrupted")


def test_commands_do_not_wait_for_ever_for_a_store_that_is_frozen(
    server: PostgresqlServer, database: str, tmp_path: Path
) -> None:
    (tmp_path / "toy.toml").write_text(SLOW)
    assert tuner(tmp_path, "submit", "toy.toml", TUNER_STORE=database).returncode == 0
    with server.frozen():
        done = tuner(tmp_path, "status", TUNER_STORE=database)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: the store ")
    assert done.stderr.count("\n") == 1


def test_a_worker_whose_store_is_frozen_hands_back_what_it_can_and_ends_in_time(
    server: PostgresqlServer, database: str, tmp_path: Path
) -> None:
    (tmp_path / "toy.toml").write_text(SLOW)
    tuner(tmp_path, "submit", "toy.toml", TUNER_STORE=database)
    with command(tmp_path, "worker", TUNER_STORE=database) as worker:
        worker.wait_for("searching")
        with server.frozen():
            worker.interrupt(signal.SIGTERM)
            seconds = worker.seconds_until_it_has_ended()
            worker.process.wait(10)

    assert seconds < MOST_SECONDS
    assert worker.process.returncode == 0
    assert "Traceback" not in worker.said


def test_workers_in_a_long_step_end_some_time_after_their_run_was_killed(tmp_path: Path) -> None:
    with command(tmp_path, "run", "toy.toml", toy=SLOW.replace("pause = 0.02", "pause = 600")) as run:
        run.wait_for("starts")
        workers = processes_below(run.process.pid)
        began = time.monotonic()
        run.interrupt(signal.SIGKILL)
        while any(map(lives, workers)) and time.monotonic() - began < 2 * MOST_SECONDS:
            time.sleep(0.05)

        assert workers
        assert time.monotonic() - began < MOST_SECONDS

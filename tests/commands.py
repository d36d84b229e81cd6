"""The command line in processes of its own, as people run it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests import loaded
from tuner.guard import processes_below as processes_below  # for tests to import from here

ROOT = Path(__file__).parent.parent


def environment(**variables: str) -> dict[str, str]:
    """Ours, without what would lead a command elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUNER_", "MLFLOW_", "PG"))}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **variables}


def tuner(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, in a process that need not load libraries."""
    return loaded.run(arguments, folder, environment(**variables), seconds=280)


@contextmanager
def started(folder: Path, *arguments: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """The command line at work in a folder, and ended by force, with all it has started, if it is not done by itself.

    Its standard output brings its errors too.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(**variables),
    )
    with process:
        try:
            yield process
        finally:
            kill(process)


def kill(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """End a process and all it has started at once, without a word, as when their machine fails."""
    if process.poll() is None:
        for each in {process.pid, *processes_below(process.pid)}:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.wait()


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """Wait until a process says this; what it has said until then."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it ended without saying {text!r}:\n{said}")


def lives(process: int) -> bool:
    """Whether a process has not ended; one that nobody has missed yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def arguments(process: int) -> bytes:
    """What `ps` shows of a process; nothing if it has ended since."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

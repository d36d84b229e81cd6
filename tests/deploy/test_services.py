"""The very commands of `deploy/compose.yaml` as processes, on real servers: they do their work and leak no password.

What the image and the network of containers would do is done by replacing addresses, ports and folders alone.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.commands import arguments, environment, free_port, processes_below
from tests.deploy.composed import DEPLOY, Service, read_compose
from tests.deploy.conftest import TELLTALE, Cluster, set_up
from tests.servers import PostgresqlServer
from tests.test_postgresql_run import SLOW, everything_in
from tuner.stores.opening import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

START_SECONDS = 240
"""MLflow makes its tables first, which takes long on a busy machine."""
MLFLOW_PAGES = ("api/2.0/mlflow/runs/search", "api/2.0/mlflow/experiments/search")
OPTUNA_PAGES = ("api/meta", "api/studies", "api/studies/1", "dashboard")


def image_environment() -> dict[str, str]:
    """The variables that the image sets."""
    text = (DEPLOY / "Dockerfile").read_text()
    return dict(re.findall(r"(\w+)=(\S+)", text[text.index("ENV ") : text.index("USER ")]))


@dataclass(slots=True)
class Stage:
    """The services of compose.yaml on this machine.

    Attributes:
        seen: The arguments of every process there was when we looked.
    """

    cluster: Cluster
    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {"5000": free_port(), "8080": free_port()})
    seen: set[bytes] = field(default_factory=set)

    def here(self, text: str) -> str:
        """What in a container would be elsewhere."""
        for there, here in {
            "/run/secrets": str(self.cluster.secrets),
            "/var/lib/mlflow": str(self.folder / "mlflow"),
            "http://mlflow:": "http://127.0.0.1:",
            "0.0.0.0": "127.0.0.1",
            **{port: str(free) for port, free in self.ports.items()},
        }.items():
            text = text.replace(there, here)
        return text

    def start(self, service: Service, *more: str) -> "subprocess.Popen[bytes]":
        """A service at work, with other arguments if there are any."""
        command = [self.here(each) for each in (*service.entrypoint, *(more or service.command))]
        variables = {name: self.here(value) for name, value in service.environment.items()}
        network = {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(self.cluster.port)}
        folders = (DEPLOY, Path(sys.executable).parent, self.cluster.server.programs, os.environ["PATH"])
        programs = os.pathsep.join(map(str, folders))
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        with log.open("wb") as written:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=written,
                stderr=written,
                env=environment(**image_environment(), **variables, **network, PATH=programs),
            )

    def run(self, service: Service, *more: str) -> int:
        """Run a service to its end; its exit code."""
        process = self.start(service, *more)
        while process.poll() is None:
            self.look()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        return process.returncode

    def look(self) -> None:
        """See what `ps` shows."""
        self.seen |= {arguments(each) for each in processes_below(os.getpid())}

    def is_healthy(self, service: Service) -> bool:
        """Whether its own check says that a service is well."""
        assert service.healthcheck is not None
        return self.run(service.model_copy(update={"entrypoint": ()}), *service.healthcheck.test[1:]) == 0

    def await_health(self, service: Service, process: "subprocess.Popen[bytes]") -> None:
        """Wait until a service is well, asking now and then."""
        deadline = time.monotonic() + START_SECONDS
        while not self.is_healthy(service):
            assert process.poll() is None, self.logs()
            assert time.monotonic() < deadline, self.logs()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)

    def logs(self) -> str:
        return "\n".join(each.read_text() for each in sorted(self.folder.glob("*.log")))

    def page(self, port: str, path: str, *, host: str = "localhost", data: bytes | None = None) -> str:
        """What a browser gets that thinks it talks to this host."""
        headers = {"Host": f"{host}:{self.ports[port]}", "Content-Type": "application/json"}
        request = Request(f"http://127.0.0.1:{self.ports[port]}/{path}", headers=headers, data=data)
        with urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def stage(roles_server: tuple[PostgresqlServer, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The services after they have searched the toy; the dashboards still run."""
    cluster = set_up(*roles_server, tmp_path_factory.mktemp("secrets"))
    stage, services = Stage(cluster, tmp_path_factory.mktemp("stage")), read_compose().services
    (stage.folder / "toy.toml").write_text(SLOW)
    with ExitStack() as stack:

        def started(name: str) -> "subprocess.Popen[bytes]":
            process = stack.enter_context(stage.start(services[name]))
            stack.callback(process.terminate)
            return process

        assert stage.is_healthy(services["postgres"]), stage.logs()
        assert stage.run(services["migrate"]) == 0, stage.logs()
        for name in ("mlflow", "dashboard"):
            stage.await_health(services[name], started(name))
        assert stage.run(services["tuner"], "submit", "toy.toml") == 0, stage.logs()
        worker = started("worker")
        with closing(open_store(cluster.url("tuner_reader"))) as store:
            while store.open_studies():
                assert worker.poll() is None, stage.logs()
                stage.look()
                with suppress(subprocess.TimeoutExpired):
                    worker.wait(0.1)
        worker.terminate()
        assert worker.wait(30) == 0, stage.logs()
        # What MLflow was too slow for on a busy machine.
        assert stage.run(services["tuner"], "sync", "toy") == 0, stage.logs()
        yield stage


def test_the_worker_finishes_what_was_submitted_and_stops_when_told(stage: Stage) -> None:
    assert "toy is stored, 2 of 2 studies to be searched" in stage.logs()
    assert "stopped; everything finished is stored" in stage.logs()


def test_mlflow_has_the_runs_and_refuses_requests_for_other_hosts(stage: Stage) -> None:
    asked = json.dumps({"experiment_ids": ["1"], "max_results": 1000}).encode()

    runs = json.loads(stage.page("5000", MLFLOW_PAGES[0], data=asked))["runs"]

    assert len(runs) == 2 + 2 * 17
    assert {each["info"]["status"] for each in runs} == {"FINISHED"}
    with pytest.raises(HTTPError, match="403"):
        stage.page("5000", MLFLOW_PAGES[0], host="elsewhere.example", data=asked)
    assert stage.page("5000", "health", host="10.0.0.7") == "OK"  # as Kubernetes asks


def test_the_dashboard_shows_the_studies(stage: Stage) -> None:
    assert "toy/batch_size=8/round=1" in stage.page("8080", "api/studies")


def test_the_role_that_reads_runs_the_commands_that_show_results(stage: Stage) -> None:
    services = read_compose().services
    reader = services["tuner"].model_copy(update={"environment": services["dashboard"].environment})

    for command in (("status",), ("results", "toy")):
        assert stage.run(reader, *command) == 0, stage.logs()
    assert stage.run(reader, "pause", "toy") == 1
    assert "permission denied" in stage.logs()


def test_services_write_nothing_but_mlflows_artifacts(stage: Stage) -> None:
    """The file system of their containers is not for writing."""
    written = {each.relative_to(stage.folder) for each in stage.folder.rglob("*") if each.is_file()}

    assert {each for each in written if each.parts[0] != "mlflow" and each.suffix != ".log"} == {Path("toy.toml")}


def test_no_password_is_in_output_arguments_pages_rows_or_files(stage: Stage) -> None:
    secret = stage.cluster.password("tuner_worker")
    asked = b'{"experiment_ids": ["1"], "max_results": 1000}'
    pages = [stage.page("5000", each, data=asked) for each in MLFLOW_PAGES]
    pages += [stage.page("8080", each) for each in OPTUNA_PAGES]
    rows = [
        everything_in(stage.cluster.url(role, database=database))
        for role, database in (("tuner_owner", "tuner"), ("mlflow", "mlflow"))
    ]

    assert TELLTALE in secret
    assert any(b"tuner\0worker" in each for each in stage.seen)
    assert any(b"mlflow\0server" in each for each in stage.seen)
    assert all("toy/batch_size=8" in each for each in rows)
    for shown in (b"".join(stage.seen).decode(), *pages, *rows):
        assert TELLTALE not in shown
    for file in (each for each in stage.folder.rglob("*") if each.is_file()):
        assert TELLTALE.encode() not in file.read_bytes(), file

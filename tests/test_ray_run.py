"""The service on a Ray cluster of its own, with a store that asks for a password."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import arguments, environment, processes_below, read_until, started, tuner
from tests.locked import PASSWORD, with_password
from tests.test_postgresql_run import everything_in, exported, hides_the_password
from tests.toy import SMALL
from tuner.records import TrialState

pytestmark = pytest.mark.slow

SLOW = SMALL.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\npause = 0.05')


SHOW = """
import sys, ray
from ray._private import state
ray.init(sys.argv[1], log_to_driver=False)
print(state.actors(), state.jobs(), state.nodes())
"""
"""Prints what `ray list` shows; that command needs Ray's dashboard, which is not installed here."""


@pytest.fixture
def sessions() -> Iterator[Path]:
    """Where Ray writes; not pytest's folder, because the paths of its sockets must be short."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_a_service_on_ray_hands_back_at_a_signal_and_leaves_no_password_and_no_process(
    locked_url: str, tmp_path: Path, sessions: Path
) -> None:
    (tmp_path / "toy.toml").write_text(SLOW)
    store = with_password(locked_url, PASSWORD)
    variables = {"TUNER_STORE": store, "RAY_TMPDIR": str(sessions)}
    assert tuner(tmp_path, "submit", "toy.toml", TUNER_STORE=store).returncode == 0
    service = ("worker", "--engine", "ray", "--ray-address", "local", "--workers", "1", "--device", "cpu")
    with started(tmp_path, *service, **variables) as worker:
        said = read_until(worker, "searching, ")
        processes = processes_below(worker.pid)
        seen = b"".join(arguments(each) for each in processes)
        (address,) = set(re.findall(rb"--gcs-address=([0-9.:]+)", seen))
        command = [sys.executable, "-c", SHOW, address.decode()]
        shown = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment(RAY_AUTH_MODE="token", **variables)
        ).stdout
        os.kill(worker.pid, signal.SIGTERM)
        said += worker.communicate(timeout=60)[0]

    assert worker.returncode == 0, said
    assert said.rstrip().endswith("stopped; everything finished is stored")
    assert re.search(r"^[^ ]+/\d+: batch size 16: starts$", said, flags=re.MULTILINE)
    trials = exported(store, "toy")
    assert {each["state"] for each in trials} == {TrialState.FINISHED, TrialState.FAILED}
    assert "WorkerActor" in shown
    assert hides_the_password(seen + (shown + said + everything_in(store)).encode())
    written = [each for each in sessions.rglob("*") if each.is_file()]
    assert any(each.name.startswith("worker-") for each in written)
    for file in written:
        assert hides_the_password(file.read_bytes()), file
    assert not [each for each in processes if arguments(each)]

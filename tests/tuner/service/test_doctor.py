"""The doctor: what is sound is ok, what is not says what to do, and nothing is changed by looking."""

import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.bad_mlflow import bad_server
from tests.commands import tuner
from tuner.recorders.mlflow.connection import _loading
from tuner.service.doctor import (
    Finding,
    Health,
    check_disk,
    check_mlflow,
    check_python,
    check_ray,
    check_store,
    check_time_zone,
    check_torch,
    checked,
    judge_disk,
    judge_store,
)
from tuner.stores.opening import open_store
from tuner.stores.relational.tables import SCHEMA_VERSION


def test_python_must_be_new_enough() -> None:
    assert check_python().health is Health.OK
    old = check_python((3, 10, 4))
    assert (old.health, old.advice) == (Health.BROKEN, "install Python 3.11 or newer, and tuner in it")


def test_torch_is_asked_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.service.doctor.TORCH_SECONDS", 120)
    found = check_torch()
    assert found.health is not Health.BROKEN
    assert found.found.startswith("2.")

    missing = check_torch(str(tmp_path / "python"))
    assert missing.health is Health.BROKEN
    assert "cannot be loaded" in missing.found
    assert "torch" not in sys.modules or missing.advice.startswith("pip install torch")


def test_ray_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name} 2.60")
    assert check_ray().found == "ray 2.60 is installed"

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert check_ray().health is Health.OK
    assert "pip install 'batch-tuner[ray]'" in check_ray().found


def test_a_store_that_is_not_there_yet_is_no_trouble_and_is_not_made(tmp_path: Path) -> None:
    (found,) = check_store(f"sqlite:///{tmp_path}/runs/tuner.db")

    assert found.health is Health.OK
    assert "`tuner submit` makes it" in found.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_store_tells_its_version_and_latency(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db" if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))
    if kind == "postgresql":
        (empty,) = check_store(url)
        assert "no tables of ours" in empty.found
    with closing(open_store(url)) as store:
        identity = store.identity()

    (found,) = check_store(url)

    assert found.health is Health.OK
    assert found.found.endswith(f" ms; version {SCHEMA_VERSION}, called store {identity[:8]} in MLflow")


def test_a_store_that_does_not_answer_is_broken_and_its_password_hidden() -> None:
    (found,) = check_store("postgresql://ann:sesame@127.0.0.1:1/tuner")

    assert found.health is Health.BROKEN
    assert "refused" in found.found
    assert "sesame" not in repr(found)


@pytest.mark.parametrize(
    ("version", "latency", "health", "advice"),
    [
        (SCHEMA_VERSION, 0.001, Health.OK, ""),
        (SCHEMA_VERSION, 0.1, Health.WARNING, "nearer to the store"),
        (SCHEMA_VERSION - 1, 0.001, Health.WARNING, "upgrades it to version"),
        (SCHEMA_VERSION + 1, 0.001, Health.BROKEN, "update batch-tuner"),
    ],
)
def test_a_store_is_judged_by_its_version_and_latency(
    version: int, latency: float, health: Health, advice: str
) -> None:
    found = judge_store("here", version, latency)

    assert found.health is health
    assert advice in found.advice


def test_mlflow_is_asked_and_not_made(tmp_path: Path) -> None:
    assert check_mlflow(f"sqlite:///{tmp_path}/mlflow.db").health is Health.OK
    assert list(tmp_path.iterdir()) == []

    away = check_mlflow("http://127.0.0.1:1")
    assert away.health is Health.BROKEN
    assert "training goes on" in away.advice


def test_a_wrong_password_of_mlflows_database_is_said_at_once(locked_url: str) -> None:
    url = make_url(locked_url).set(password="sesame").render_as_string(hide_password=False)
    began = time.monotonic()
    found = check_mlflow(url)

    assert found.health is Health.BROKEN
    assert "password authentication failed" in found.found
    assert "sesame" not in repr(found)
    assert time.monotonic() - began < 20  # MLflow itself tries for two minutes


def test_a_check_that_does_not_end_is_a_finding_and_keeps_no_other_waiting() -> None:
    fine = Finding("disk", Health.OK, "room")

    def hang() -> list[Finding]:
        threading.Event().wait()
        return []

    checks: dict[str, Callable[[], list[Finding]]] = {
        "store": hang,
        "MLflow": hang,
        "disk": lambda: [fine],
    }
    began = time.monotonic()
    store, mlflow, disk = checked(checks, seconds=0.5)

    assert time.monotonic() - began < 5
    assert disk == fine
    assert (store.subject, store.health, store.found) == (
        "store",
        Health.BROKEN,
        "did not answer within 0.5 seconds",
    )
    assert "TUNER_STORE" in store.advice
    assert "MLFLOW_TRACKING_URI" in mlflow.advice


def test_mlflow_that_takes_long_to_load_is_a_warning() -> None:
    def load() -> list[Finding]:
        with _loading:
            threading.Event().wait(2)
        return []

    (found,) = checked({"MLflow": load}, seconds=0.3)

    assert (found.health, found.found) == (Health.WARNING, "loading it takes more than 0.3 seconds")


def test_torch_that_takes_long_to_load_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr("tuner.service.doctor.TORCH_SECONDS", 0.2)
    found = check_torch(str(slow))

    assert found.health is Health.WARNING
    assert found.found == "loading it takes more than 0.2 seconds"


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_the_command_ends_though_store_and_mlflow_never_answer(tmp_path: Path, scheme: str) -> None:
    with bad_server("silent") as server:
        store, mlflow = f"postgresql://ann@127.0.0.1:{server.port}/tuner", f"{scheme}://127.0.0.1:{server.port}/x"
        began = time.monotonic()
        done = tuner(tmp_path, "doctor", TUNER_STORE=store, MLFLOW_TRACKING_URI=mlflow)
        seconds = time.monotonic() - began

    assert done.returncode == 1
    told = r"(did not answer within|loading it takes more than) 8 seconds"  # of MLflow the latter, on a busy machine
    assert len(re.findall(told, done.stdout)) == 2
    assert seconds < 25, "it takes 10 to 12 seconds on a machine that is not busy"


def test_disk_must_have_room(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "runs" / "later").found.endswith(f" GB free in {tmp_path}")
    healths = [judge_disk(tmp_path, free).health for free in (50_000_000, 500_000_000, 5_000_000_000)]
    assert healths == [Health.BROKEN, Health.WARNING, Health.OK]


def test_a_time_zone_other_than_utc_is_a_warning() -> None:
    def at(hours: int) -> Finding:
        return check_time_zone(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=hours))))

    assert at(0).health is Health.OK
    assert at(9).health is Health.WARNING
    assert "TZ=UTC" in at(9).advice

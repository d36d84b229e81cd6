"""The doctor: what is sound is ok, what is not says what to do, and nothing is changed by looking."""

import sys
from contextlib import closing
from datetime import datetime, timedelta, timezone
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

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
    judge_disk,
    judge_store,
)
from tuner.stores.opening import open_store
from tuner.stores.relational.tables import SCHEMA_VERSION


def test_python_must_be_new_enough() -> None:
    assert check_python().health is Health.OK
    old = check_python((3, 10, 4))
    assert (old.health, old.advice) == (Health.BROKEN, "install Python 3.11 or newer, and tuner in it")


def test_torch_is_asked_in_a_process_of_its_own(tmp_path: Path) -> None:
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
    with closing(open_store(url)):
        pass

    (found,) = check_store(url)

    assert found.health is Health.OK
    assert f" ms; version {SCHEMA_VERSION}" in found.found


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

"""A Ray cluster from outside: that it is there, and what its machines are told of the store."""

import os
import sys
from pathlib import Path

import pytest
import typer

from tuner.cli.options import EngineName, ray_cluster
from tuner.errors import StoreError, TunerError
from tuner.service.ray.cluster import connected, own_url, password_advice, sent_url
from tuner.service.ray.engine import Ray

SENT = "postgresql+psycopg://ann@db.lab/tuner"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_does_not_answer_is_said_at_once(address: str) -> None:
    with pytest.raises(TunerError, match=f"^there is no Ray cluster at {address}: .*refused"), connected(address):
        pass


def test_a_store_in_a_file_is_refused_where_there_are_other_machines(tmp_path: Path) -> None:
    here, url = os.uname().nodename, f"sqlite:///{tmp_path}/tuner.db"

    assert sent_url(url, {here}) == url
    with pytest.raises(TunerError, match=r"others \(gpu-1\); let TUNER_STORE name a PostgreSQL database$"):
        sent_url(url, {here, "gpu-1"})


def test_a_password_stays_here_and_workers_bring_their_own() -> None:
    assert sent_url("postgresql://ann:sesame@db.lab/tuner?sslmode=require&sslpassword=x", {"gpu-1"}) == (
        f"{SENT}?sslmode=require"
    )
    theirs = "postgresql://ann:sesame@db.lab/tuner"
    assert own_url(SENT, {"TUNER_STORE": theirs}) == theirs
    assert own_url(SENT, {"TUNER_STORE": "postgresql://ann:sesame@db.lab/another"}) == SENT
    assert own_url(SENT, {}) == SENT


def test_a_worker_without_a_password_says_where_to_set_it() -> None:
    refused = StoreError("the store cannot be used: fe_sendauth: no password supplied")

    assert "set TUNER_STORE, PGPASSWORD or PGPASSFILE where Ray is started on" in password_advice(SENT, refused)
    assert password_advice(SENT, StoreError("the store cannot be used: connection refused")) == ""
    assert password_advice("sqlite:////password.db", refused) == ""


def test_an_engine_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(TunerError, match=r"^Ray is not installed; pip install 'batch-tuner\[ray\]'$"):
        ray_cluster(EngineName.RAY, workers=None, address="", num_gpus=None, trainers=None)


def test_options_for_ray_want_its_engine_and_gpus_that_can_be_had() -> None:
    with pytest.raises(typer.BadParameter, match="is for --engine ray"):
        ray_cluster(EngineName.LOCAL, workers=None, address="", num_gpus=None, trainers=2)
    with pytest.raises(typer.BadParameter, match=r"1\.5 is neither a part of one GPU nor a number of them"):
        ray_cluster(EngineName.RAY, workers=None, address="", num_gpus=1.5, trainers=None)
    assert ray_cluster(EngineName.LOCAL, workers=2, address="", num_gpus=None, trainers=None) is None
    assert ray_cluster(EngineName.RAY, workers=2, address="auto", num_gpus=0.5, trainers=None) == Ray("auto", 2, 0, 0.5)

"""A Ray cluster from outside: that it is there, and what its machines are told of the store."""

import os
from pathlib import Path

import pytest

from tuner.cluster import connected, own_url, password_advice, sent_url
from tuner.errors import TunerError

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
    assert "set TUNER_STORE, PGPASSWORD or PGPASSFILE where Ray is started on" in password_advice(SENT, {})
    assert password_advice(SENT, {"PGPASSFILE": "/run/secrets/pgpass"}) == ""
    assert password_advice(SENT, {"TUNER_STORE": "postgresql://ann:sesame@db.lab/tuner"}) == ""
    assert password_advice("sqlite:////tuner.db", {}) == ""

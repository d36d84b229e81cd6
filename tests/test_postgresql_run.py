"""Whole runs on PostgreSQL: the same results as on SQLite, whole after every kill, and no password anywhere."""

import io
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.commands import arguments, free_port, kill, processes_below, read_until, started, tuner
from tests.locked import PASSWORD, ROLE, TELLTALES, with_password
from tests.toy import SMALL
from tuner.experiment import preset_text
from tuner.reports.export import write_json
from tuner.stores.opening import open_store

pytestmark = pytest.mark.slow

FEW = {
    "batch_sizes = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]": "batch_sizes = [64, 256]",
    "points = 50": "points = 10\nsecond_look_points = 0",
    "candidates = 6": "candidates = 2",
    "choose_seeds = 4": "choose_seeds = 2",
    "report_seeds = 5": "report_seeds = 2",
}
"""What makes of the preset `digits` an experiment of seconds."""

SLOW = SMALL.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\npause = 0.01')
"""The toy with time to be killed in."""

PAGES = ("", "api/meta", "api/studies", "api/studies/1")
"""What optuna-dashboard shows of a store."""

Trial = dict[str, object]


def digits(name: str) -> str:
    """The preset, made small and renamed."""
    text = preset_text("digits")
    for old, new in {**FEW, 'name = "digits"': f'name = "{name}"'}.items():
        assert old in text
        text = text.replace(old, new)
    return text


def exported(store_url: str, name: str) -> list[Trial]:
    """Every trial of an experiment, as `tuner export --format json` prints it: what is not a number is null."""
    text = io.StringIO()
    with closing(open_store(store_url)) as store:
        write_json(store, name, text)
    trials: list[Trial] = json.loads(text.getvalue())["trials"]
    return trials


def finished_of(trials: list[Trial]) -> list[Trial]:
    return [each for each in trials if each["state"] == "finished"]


def repeats(trials: list[Trial]) -> Counter[tuple[object, ...]]:
    """How often each run of a point was finished."""
    return Counter(
        tuple(each[key] for key in ("batch_size", "role", "point", "repeat")) for each in finished_of(trials)
    )


def searched(trials: list[Trial]) -> Counter[tuple[object, object]]:
    """How often each point of each search was finished."""
    return Counter((each["batch_size"], each["point"]) for each in finished_of(trials) if each["role"] == "search")


def workers_of(run: "subprocess.Popen[str]") -> list[int]:
    """The worker processes of a run."""
    return [each for each in processes_below(run.pid) if b"spawn_main" in arguments(each)]


def everything_in(database: str) -> str:
    """Every row of every table."""
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [
            connection.execute(sql.SQL("SELECT row::text FROM {} AS row").format(sql.Identifier(name))).fetchall()
            for (name,) in tables
        ]
    return "\n".join(text for table in rows for (text,) in table)


def hides_the_password(shown: bytes) -> bool:
    return not any(each.encode() in shown for each in TELLTALES)


def test_postgresql_holds_the_same_trials_as_sqlite_and_two_workers_finish_every_point_once(
    postgres_url: str, tmp_path: Path
) -> None:
    stores = {"one": f"sqlite:///{tmp_path}/tuner.db", "same": postgres_url, "two": postgres_url}
    runs = []
    with ExitStack() as stack:
        for name, store in stores.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "few.toml").write_text(digits(name if name == "two" else "one"))
            command = ("run", "few.toml", "--workers", "2" if name == "two" else "1")
            runs.append(stack.enter_context(started(tmp_path / name, *command, TUNER_STORE=store)))
        said = [each.communicate(timeout=200)[0] for each in runs]
    sqlite = exported(stores["one"], "one")
    postgresql = exported(postgres_url, "one")
    two_workers = exported(postgres_url, "two")

    assert [each.returncode for each in runs] == [0, 0, 0], said
    assert searched(sqlite) == {(size, point): 1 for size in (64, 256) for point in range(10)}
    assert postgresql == sqlite
    assert finished_of(two_workers) == two_workers
    assert set(repeats(two_workers).values()) == {1}
    assert searched(two_workers) == searched(sqlite)


def test_the_study_of_a_killed_worker_is_finished_by_another(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SLOW)
    with started(tmp_path, "run", "toy.toml", "--workers", "2", TUNER_STORE=postgres_url) as run:
        for moment in ("starts", "starts", "searching"):
            read_until(run, moment)
        os.kill(workers_of(run)[0], signal.SIGKILL)
        said, _ = run.communicate(timeout=120)
    trials = exported(postgres_url, "toy")

    assert run.returncode == 0, said
    assert "died with exit code -9" in said
    assert set(repeats(trials).values()) == {1}
    assert searched(trials) == {(size, point): 1 for size in (8, 16) for point in range(12)}
    assert {each["state"] for each in trials} <= {"finished", "failed"}


def test_the_workers_of_a_run_that_was_killed_end_without_a_word(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SLOW)
    with started(tmp_path, "run", "toy.toml", "--workers", "2", TUNER_STORE=postgres_url) as run:
        for moment in ("starts", "starts", "searching"):
            read_until(run, moment)
        assert len(workers_of(run)) == 2
        os.kill(run.pid, signal.SIGKILL)
        assert run.stdout is not None
        said = run.stdout.read()  # until the last of them has ended

    assert "Traceback" not in said
    assert "trying again" not in said


def test_a_run_that_was_killed_goes_on_and_repeats_and_loses_nothing(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SLOW)
    with started(tmp_path, "run", "toy.toml", "--workers", "1", TUNER_STORE=postgres_url) as run:
        read_until(run, "searching, 7 of 17")
        kill(run)
    before = finished_of(exported(postgres_url, "toy"))
    done = tuner(tmp_path, "run", "toy.toml", "--workers", "1", TUNER_STORE=postgres_url)
    trials = exported(postgres_url, "toy")

    assert done.returncode == 0, done.stderr
    assert 7 <= len(before) < 2 * 17
    assert all(each in trials for each in before)
    assert set(repeats(trials).values()) == {1}
    assert searched(trials) == {(size, point): 1 for size in (8, 16) for point in range(12)}
    assert {each["state"] for each in trials} == {"finished", "failed"}


@pytest.fixture
def mlflow_url(postgres_url: str, locked_url: str) -> Iterator[str]:
    """The URL, without the password, of a second database for which the server asks for a password."""
    url = make_url(locked_url)
    name = sql.Identifier(f"{url.database}_mlflow")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(ROLE)))
        yield url.set(database=f"{url.database}_mlflow").render_as_string()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_no_password_is_left_anywhere(locked_url: str, mlflow_url: str, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SLOW)
    store, mlflow = (with_password(each, PASSWORD) for each in (locked_url, mlflow_url))
    urls = {"TUNER_STORE": store, "MLFLOW_TRACKING_URI": mlflow}
    port = free_port()
    seen: set[bytes] = set()
    said = tuner(tmp_path, "migrate", **urls).stdout  # the dashboard shows a store, it does not make one
    with (
        started(tmp_path, "dashboard", "--port", str(port), **urls) as dashboard,
        started(tmp_path, "run", "toy.toml", "--workers", "2", **urls) as run,
    ):
        said += read_until(dashboard, "optuna-dashboard on")
        while run.poll() is None:
            seen |= {arguments(each) for each in processes_below(os.getpid())}
            with suppress(subprocess.TimeoutExpired):
                run.wait(0.05)
        assert run.stdout is not None
        said += run.stdout.read()
        said += "".join(urlopen(f"http://127.0.0.1:{port}/{each}").read().decode() for each in PAGES)
        dashboard.terminate()
        said += dashboard.communicate(timeout=30)[0]
    said += "".join(tuner(tmp_path, command, **urls).stdout for command in ("status", "doctor"))

    assert run.returncode == 0, said
    assert any(b"spawn_main" in each for each in seen)
    assert hides_the_password(b"".join(seen))
    assert hides_the_password(said.encode())
    for rows in map(everything_in, (store, mlflow)):
        assert "toy/batch_size=8/round=1" in rows
        assert hides_the_password(rows.encode())
    for file in (each for each in tmp_path.rglob("*") if each.is_file()):
        assert hides_the_password(file.read_bytes()), file

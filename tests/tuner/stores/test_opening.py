"""Stores that cannot be opened say why in one line, without passwords; passwords of any letters open them."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import optuna
import psycopg
import pytest

from tests.contracts.stored import achieved, plan, small
from tests.locked import PASSWORD, ROLE, with_password
from tuner.errors import ClaimLost, StoreError
from tuner.stores.opening import open_progress, open_records, open_store


def test_a_password_of_any_letters_opens_a_store_and_is_never_shown(locked_url: str) -> None:
    with closing(open_store(with_password(locked_url, PASSWORD))) as store:
        store.submit(small())
        with store.claim("small", 64) as claim:
            assert claim is not None
            claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
            shown = [store.url, repr(store), repr(claim)]
        study = optuna.load_study(study_name="small/batch_size=64/round=1", storage=store.optuna_url)

        with pytest.raises(StoreError, match="there is no experiment other") as raised:
            store.record("other")

    assert study.best_value == 1.0
    for text in (*shown, str(raised.value)):
        assert "sa%" not in text
        assert "sa%256De" not in text


def test_a_password_may_come_from_the_environment(locked_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)

    with closing(open_store(locked_url)) as store:
        assert list(store.names()) == []


def test_a_password_may_come_from_a_file(locked_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    (tmp_path / "pgpass").write_text(f"*:*:*:{ROLE}:{escaped}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))

    with closing(open_store(locked_url)) as store:
        assert list(store.names()) == []


def test_a_wrong_password_is_told_but_not_repeated(locked_url: str) -> None:
    url = with_password(locked_url, "sesame")

    with pytest.raises(StoreError, match=rf'cannot be opened: .*authentication failed for user "{ROLE}"') as raised:
        open_store(url)
    assert "sesame" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_that_is_not_there_is_told_with_what_to_do() -> None:
    with pytest.raises(
        StoreError,
        match=r"^the store postgresql://ann:\*\*\*@127\.0\.0\.1:1/tuner cannot be opened: .*refused.*"
        r"; check that it is running and that TUNER_STORE or --store names it$",
    ):
        open_store("postgresql://ann:sesame@127.0.0.1:1/tuner")


def test_connection_options_are_passed_through(postgres_url: str) -> None:
    joined = "&" if "?" in postgres_url else "?"

    with pytest.raises(StoreError, match='invalid sslmode value: "whatever"'):
        open_store(f"{postgres_url}{joined}sslmode=whatever")
    with pytest.raises(StoreError, match='invalid connection option "colour"'):
        open_store(f"{postgres_url}{joined}colour=red")


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("remember the milk" * 100)

    with pytest.raises(StoreError, match=r"notes\.txt cannot be opened: file is not a database; check"):
        open_store(f"sqlite:///{tmp_path}/notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "remember the milk" * 100


@pytest.mark.parametrize("opened", [open_progress, open_records, partial(open_store, create=False)])
@pytest.mark.parametrize(
    ("statements", "found"),
    [
        ((), r"nothing; .* names another, and `tuner migrate` makes one there$"),
        (
            ("CREATE TABLE runs (a INT)", "CREATE TABLE tags (a INT)"),
            r"2 other tables, such as runs, tags; .* another$",
        ),
    ],
)
def test_reading_makes_no_store_of_a_database_that_is_none(
    tmp_path: Path, opened: Callable[[str], object], statements: Sequence[str], found: str
) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection:
        for each in statements:
            connection.execute(each)
    before = path.read_bytes()

    with pytest.raises(StoreError, match=rf"^there is no store in sqlite:.*mlflow\.db, which holds {found}"):
        opened(f"sqlite:///{path}")

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_reading_makes_no_store_on_a_server(postgres_url: str) -> None:
    with pytest.raises(StoreError, match=r"^there is no store in postgresql:.*, which holds nothing; "):
        open_records(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")

    with pytest.raises(StoreError, match=r"runs/tuner\.db cannot be opened: .*(Not a directory|File exists)"):
        open_store(f"sqlite:///{tmp_path}/runs/tuner.db")


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_store("sqlite:///runs/{braces}.db")) as store:
        monkeypatch.chdir("/")
        store.submit(small())

        assert (tmp_path / "runs" / "{braces}.db").exists()
        assert len(optuna.get_all_study_names(store.optuna_url)) == 2


def test_a_claim_that_lost_its_connection_stands_if_nobody_had_the_study_since(postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as store, closing(open_store(postgres_url)) as other:
        store.submit(small())
        with store.claim("small", 64) as claim:
            assert claim is not None
            number = claim.start(plan(0))
            cut_connections(postgres_url)

            claim.finish(number, achieved(), loss=1.0)

            with other.claim("small", 64) as refused:
                assert refused is None
        assert store.curves("small", 64) == {number: achieved().curve}


@pytest.mark.parametrize("still_taken", [True, False])
def test_a_claim_that_lost_its_connection_is_lost_to_whoever_took_the_study(
    postgres_url: str, still_taken: bool
) -> None:
    with closing(open_store(postgres_url)) as store, closing(open_store(postgres_url)) as other, ExitStack() as held:
        store.submit(small())
        claim = held.enter_context(store.claim("small", 64))
        assert claim is not None
        number = claim.start(plan(0))
        cut_connections(postgres_url)
        with ExitStack() as taking:
            assert taking.enter_context(other.claim("small", 64)) is not None
            if still_taken:
                held.enter_context(taking.pop_all())

        with pytest.raises(ClaimLost, match=r"the claim of small/batch_size=64/round=1 is lost: another worker"):
            claim.finish(number, achieved(), loss=1.0)
        assert store.curves("small", 64) == {}


def test_connections_cut_while_idle_are_replaced(postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as store:
        store.submit(small())
        cut_connections(postgres_url)

        assert list(store.names()) == ["small"]


def cut_connections(url: str) -> None:
    """End every other session of this database, as a server that restarts does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

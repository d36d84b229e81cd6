"""Secrets in URLs, also in those that are written wrongly: no command shows one."""

import sqlite3
from contextlib import closing
from pathlib import Path
from string import ascii_letters
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.toy import SMALL
from tuner.cli.app import app
from tuner.errors import RecorderError, StoreError, TunerError
from tuner.experiment import parse as parse_experiment
from tuner.passwords import holds_secret, is_readable, secrets_in, shown, without_secrets
from tuner.recorders.mlflow.connection import explained, local_database, refuse_unreadable
from tuner.service.doctor import check_python
from tuner.service.locations import tracking_uri
from tuner.stores.opening import open_store
from tuner.stores.urls import parse, reject_password_in, visible, without_passwords

letters = st.text(ascii_letters, min_size=6, max_size=12).map(lambda text: f"Zq{text}")
"""Parts of a secret, which are in no output by chance."""
between = st.sampled_from(["", ":", "/", "@", "#", "?", "&", "=", "%", "%2F", " ", "[", "//", ";", "+", "é"])
PLACES = (
    "{scheme}://ann:{secret}@{host}/x",
    "{scheme}://ann:{secret}@{host}",
    "{scheme}://ann:{secret}/x@{host}",
    "{scheme}://ann:x@{secret}@{host}/x",
    "{scheme}://ann:{secret}@[::1]:1/x",
    "{scheme}://{host}/x?password={secret}&a=b",
    "{scheme}://ann@{host}/x?password={secret}&password={secret}",
    "{scheme}://ann@{host}/x?sslpassword={secret}",
    "{scheme}://{host}/x?token={secret}",
    "{scheme}://{host}/x?a=b&access_token={secret}",
    "{scheme}://{host}/x?API_KEY={secret}",
    "{scheme}://{host}/x?AWS_SECRET_ACCESS_KEY={secret}",
    "ann:{secret}@{host}/x",
    "{scheme}//ann:{secret}@{host}/x",
    "{scheme}:ann:{secret}@{host}/x",
    "http://{secret}@{host}",
    "http://{secret}:@{host}/",
    "http://{secret}:x-oauth-basic@{host}/",
    "sqlite://ann:{secret}@{host}/x",
    "sqlite:///ann:{secret}@{host}/x",
    "sqlite:///x.db?password={secret}",
)


@st.composite
def secret_urls(draw: st.DrawFn) -> tuple[str, tuple[str, ...]]:
    """A URL with a secret somewhere, and the parts of the secret."""
    parts = draw(st.lists(letters, min_size=1, max_size=3, unique=True))
    secret = parts[0] + "".join(draw(between) + each for each in parts[1:])
    if draw(st.booleans()):
        secret = quote(secret, safe="")
    place = draw(st.sampled_from(PLACES))
    scheme = draw(st.sampled_from(["http", "https", "postgresql", "postgres", "postgresql+psycopg", "mysql", "odd"]))
    return place.format(scheme=scheme, secret=secret, host="127.0.0.1:1"), tuple(parts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a store that has the toy; MLflow is asked once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("tuner.service.doctor.check_torch", check_python)  # sooner done
    with closing(open_store("sqlite:///runs.db")) as store:
        store.submit(parse_experiment(SMALL, source="toy.toml"))
    return tmp_path


def told(*arguments: str, **variables: str) -> str:
    """All that a command says in this process. It ends with a line, and never with a traceback."""
    done = CliRunner(env={"TUNER_STORE": "sqlite:///runs.db", **variables}).invoke(app, arguments)
    if done.exception is None or isinstance(done.exception, SystemExit):
        return done.output
    assert isinstance(done.exception, TunerError), (arguments, variables, repr(done.exception))
    return f"{done.output}\nerror: {done.exception}"


@given(secret_urls())
@example(("http://ann:ZqSecret/x@host", ("ZqSecret",)))
@example(("http://host/?token=ZqFirst@ZqSecond", ("ZqFirst", "ZqSecond")))
@settings(max_examples=300)
def test_nothing_shown_of_a_url_holds_a_part_of_a_secret(case: tuple[str, tuple[str, ...]]) -> None:
    url, parts = case

    assert not [each for each in parts if each in shown(url)], shown(url)
    assert holds_secret(url) or "://" not in url


@given(secret_urls())
@settings(max_examples=300)
def test_a_store_is_opened_or_refused_without_a_word_of_a_secret(case: tuple[str, tuple[str, ...]]) -> None:
    url, parts = case
    try:
        location = parse(url)
    except StoreError as error:
        said = f"{error} {error.__cause__}"
    else:
        said = visible(location) + without_passwords(location)
        with pytest.raises(TunerError, match="holds a password"):
            reject_password_in(url)

    assert not [each for each in parts if each in said], said


@given(secret_urls())
@settings(max_examples=300)
def test_what_a_library_says_of_a_url_is_told_without_its_secrets(case: tuple[str, tuple[str, ...]]) -> None:
    url, parts = case
    with pytest.raises(RecorderError) as raised, explained(url):
        raise ValueError(f"{url}/api cannot be resolved: {' or '.join(secrets_in(url))}")

    assert not [each for each in parts if each in str(raised.value)], raised.value


@given(secret_urls())
@settings(max_examples=300)
def test_an_option_with_a_secret_is_refused(case: tuple[str, tuple[str, ...]]) -> None:
    url, parts = case
    if not holds_secret(url):
        return
    with pytest.raises(TunerError, match="which ps shows to everyone") as raised:
        tracking_uri(url)

    assert not [each for each in parts if each in str(raised.value)]


@given(case=secret_urls())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_command_shows_a_secret(folder: Path, case: tuple[str, tuple[str, ...]]) -> None:
    url, parts = case
    said = [told(*command, TUNER_STORE=url) for command in (("status",), ("results", "x"), ("dashboard",), ("doctor",))]
    if is_readable(url) and url.startswith(("mysql", "postgres")):  # MLflow would try for minutes
        url = f"http://{url.partition('://')[2]}"
    (folder / "x.db").unlink(missing_ok=True)  # which would be served
    said += [told(*command, MLFLOW_TRACKING_URI=url) for command in (("mlflow",), ("doctor",), ("sync", "toy"))]
    said += [told("doctor", "--mlflow", url), told("status", "--store", url)]

    assert not [each for each in parts if any(each in text for text in said)], said


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://bob:SECRET/x@host", "http://host"),
        ("http://TOKEN@host:5000/mlflow", "http://host:5000/mlflow"),
        ("http://ann:se@same@host:5000", "http://host:5000"),
        ("http://ann:se#same@host", "http://***"),
        ("http://host/?token=se@same", "http://***"),
        ("http://ann:sesame", "http://***"),
        ("http://ann:sesame@[::1]:5000/x", "http://[::1]:5000/x"),
        ("ann:sesame@host/x", "***@host/x"),
        ("postgresql://ann:sesame@db.lab/x?sslmode=require&password=A&password=B", "postgresql://ann:***@db.lab/x?sslmode=require"),
        ("postgresql://ann@/x?host=/run/postgresql", "postgresql://ann@/x?host=/run/postgresql"),
        ("postgresql://ann@db.lab/x?passfile=/home/ann/.pgpass", "postgresql://ann@db.lab/x?passfile=/home/ann/.pgpass"),
        ("sqlite:////home/ann@corp/a#1/mlflow.db", "sqlite:////home/ann@corp/a#1/mlflow.db"),
        ("sqlite:///runs/mlflow.db", "sqlite:///runs/mlflow.db"),
        ("databricks", "databricks"),
        ("./mlruns", "./mlruns"),
    ],
)  # fmt: skip
def test_as_much_of_a_url_is_shown_as_is_certain_to_be_no_secret(url: str, seen: str) -> None:
    assert shown(url) == seen


@pytest.mark.parametrize("url", ["sqlite:////home/ann@corp/a#1/tuner.db", "sqlite:///b@c.db"])
def test_a_folder_may_have_an_at_sign_in_its_name(url: str) -> None:
    assert parse(visible(parse(url))) == parse(url)
    assert not holds_secret(url)


def test_two_passwords_are_refused() -> None:
    with pytest.raises(StoreError, match=r"holds the key password more than once; keep one$"):
        parse("postgresql://ann@db.lab/tuner?password=sesame&password=other")


def test_a_url_with_a_user_behind_its_host_is_refused() -> None:
    with pytest.raises(StoreError, match=r"has an @ behind its host; write : / .* as %3A %2F .* or .* \?dbname="):
        parse("postgresql://an/n:sesame@db.lab/tuner")
    with pytest.raises(StoreError, match=r"has a password, and SQLite knows none: name a file, as in sqlite:///"):
        parse("sqlite:///ann:sesame@db.lab/tuner")


def test_a_uri_of_mlflow_that_cannot_be_read_is_refused_before_it_is_used() -> None:
    with pytest.raises(RecorderError, match=r"^the URI of MLflow cannot be read, http://host; write : / \? # @ and %"):
        refuse_unreadable("http://bob:sesame/x@host")
    with pytest.raises(RecorderError, match="cannot be read, http://host;"), explained("http://bob:sesame/x@host"):
        raise AssertionError("is not asked")
    with pytest.raises(RecorderError, match=r"cannot be read, sqlite:runs/mlflow\.db;"):
        local_database("sqlite:runs/mlflow.db")


def test_urls_that_a_message_quotes_are_shown_without_their_secrets() -> None:
    message = "cannot reach 'http://ann:sesame@host/x?token=open': open, se/same"

    assert (
        without_secrets(message, of=["http://ann:se%2Fsame@host/?token=open"])
        == "cannot reach 'http://host/x': ***, ***"
    )


def test_what_the_store_keeps_of_a_run_holds_no_secret_of_mlflow(folder: Path) -> None:
    url = "http://ann:ZqSesame@127.0.0.1:1/?token=ZqOpen"
    (folder / "toy.toml").write_text(SMALL)

    said = told("submit", "toy.toml") + told("sync", "toy", MLFLOW_TRACKING_URI=url)

    with closing(sqlite3.connect("runs.db")) as database:
        stored = "\n".join(database.iterdump())
    assert "MLflow at http://127.0.0.1:1/ cannot be used" in said
    assert not [each for each in ("ZqSesame", "ZqOpen") if each in said + stored]


def test_what_is_no_url_and_parameters_of_a_path_show_no_secret_either() -> None:
    assert holds_secret("host=db password=sesame")
    assert "sesame" not in shown("host=db password=sesame user=ann")
    assert shown("http://host/path;token=sesame") == "http://host/path"

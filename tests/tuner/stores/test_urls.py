import pytest

from tuner.errors import StoreError, TunerError
from tuner.stores.urls import for_optuna, parse, reject_password_in, visible


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_means_psycopg(scheme: str) -> None:
    url = parse(f"{scheme}://ann@db.lab:5433/tuner?sslmode=verify-full&sslrootcert=ca.pem")

    assert url.drivername == "postgresql+psycopg"
    assert visible(url) == "postgresql://ann@db.lab:5433/tuner?sslmode=verify-full&sslrootcert=ca.pem"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:sesame@db.lab/tuner",
        "postgresql://ann@db.lab/tuner?password=sesame",
        "postgresql://ann@db.lab/tuner?sslpassword=sesame",
    ],
)
def test_a_password_is_hidden_and_refused_on_the_command_line(text: str) -> None:
    assert "sesame" not in visible(parse(text))
    assert "sesame" in for_optuna(parse(text))
    with pytest.raises(TunerError, match=r"which ps shows .* use the variable TUNER_STORE .* or PGPASSWORD"):
        reject_password_in(text)


@pytest.mark.parametrize("text", ["sqlite:///runs/tuner.db", "postgresql://ann@db.lab/tuner", "postgresql:///tuner"])
def test_a_url_without_a_password_may_be_given_on_the_command_line(text: str) -> None:
    reject_password_in(text)

    assert visible(parse(text)) == text


@pytest.mark.parametrize("text", ["", "runs/tuner.db", "postgresql//ann:sesame@db", "postgresql://ann:se@db:same/x"])
def test_what_is_no_url_is_not_repeated(text: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be read; it looks like sqlite:///runs/tuner\.db or post") as raised:
        parse(text)
    assert "sesame" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_other_databases_are_refused() -> None:
    with pytest.raises(StoreError, match="mysql is not a kind of store; it is one of sqlite:///"):
        parse("mysql://ann:sesame@db.lab/tuner")


def test_an_at_sign_in_a_password_must_be_encoded() -> None:
    with pytest.raises(StoreError, match=r"more than one @; write those of the password as %40") as raised:
        parse("postgresql://ann:open@sesame@db.lab/tuner")
    assert "sesame" not in str(raised.value)
    assert parse("postgresql://ann:open%40sesame@db.lab/tuner").password == "open@sesame"


@pytest.mark.parametrize("text", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="in memory would be lost; name a file"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("sqlite://runs/tuner.db", "write three: sqlite:///runs/tuner.db$"),
        ("sqlite://tuner.db", "write three: sqlite:///tuner.db$"),
        ("sqlite://ann:sesame@runs/tuner.db", "SQLite knows no servers: write three, as in sqlite:///"),
    ],
)
def test_a_file_after_two_slashes_would_lose_its_folder(text: str, advice: str) -> None:
    with pytest.raises(StoreError, match=rf"two slashes before its file; {advice}") as raised:
        parse(text)
    assert "sesame" not in str(raised.value)


def test_optuna_fills_the_braces_of_a_password_back_in() -> None:
    url = parse("postgresql://ann:%7Bse%7D%25same@db.lab/{tuner}")

    assert url.password == "{se}%same"
    assert parse(for_optuna(url).format()) == url

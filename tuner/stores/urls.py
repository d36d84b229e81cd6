"""Where a store is: URLs as people write them, without their passwords, and as Optuna takes them."""

from psycopg.pq import Conninfo
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tuner.errors import StoreError, TunerError
from tuner.passwords import ADVICE, is_ambiguous, is_readable, is_sensitive

EXAMPLES = "sqlite:///runs/tuner.db or postgresql://user@host/database"
SQLITE, POSTGRESQL = "sqlite", "postgresql+psycopg"
DRIVERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL}


def parse(text: str) -> URL:
    """A store's URL with the driver we use. What it cannot read is not repeated, since it may hold a password.

    >>> parse("postgres://ann@db.lab/tuner?sslmode=require").drivername
    'postgresql+psycopg'

    Raises:
        StoreError: It is no such URL, or names a database we cannot use.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreError(f"the store's URL cannot be read; it looks like {EXAMPLES}") from None
    backend = url.drivername.partition("+")[0]
    if backend not in DRIVERS:
        raise StoreError(f"{backend} is not a kind of store; it is one of {EXAMPLES}")
    if "@" in (url.host or ""):
        raise StoreError("the store's URL holds more than one @; write those of the password as %40")
    if is_ambiguous(text) or (backend == "postgresql" and _has_strange_option(url)):
        raise StoreError(f"it cannot be told what in the store's URL is the password; {ADVICE}, and & as %26")
    if backend != "sqlite" and "@" in (url.database or ""):
        raise StoreError(f"the store's URL has an @ behind its host; {ADVICE}, or name the database by ?dbname=")
    if backend == "sqlite" and url.host:
        raise StoreError(f"the store's URL has two slashes before its file; {_three_slashes(url)}")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreError(f"a store in memory would be lost; name a file, as in {EXAMPLES}")
    if backend == "sqlite" and not is_readable(text):
        raise StoreError(f"the store's URL has a password, and SQLite knows none: name a file, as in {EXAMPLES}")
    return _password_in_its_place(url.set(drivername=DRIVERS[backend]))


def _has_strange_option(url: URL) -> bool:
    """Whether a query with a password has an option that libpq does not know, which may be more of the password."""
    known = {each.keyword.decode() for each in Conninfo.get_defaults()}
    return any(map(is_sensitive, url.query)) and not known >= set(url.query)


def visible(url: URL) -> str:
    """The URL as it may be shown: without passwords.

    >>> visible(parse("postgresql://ann:secret@db.lab/tuner"))
    'postgresql://ann:***@db.lab/tuner'
    """
    return _without_secrets(url).set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def without_passwords(url: URL) -> str:
    """The URL for other machines, which bring passwords of their own.

    >>> without_passwords(parse("postgresql://ann:secret@db.lab/tuner?sslmode=require"))
    'postgresql+psycopg://ann@db.lab/tuner?sslmode=require'
    """
    rest = _without_secrets(url)
    bare = URL.create(rest.drivername, rest.username, host=rest.host, port=rest.port, database=rest.database)
    return bare.set(query=rest.query).render_as_string()


def for_optuna(url: URL) -> str:
    """The URL as Optuna takes it, password included. Optuna fills in `{...}` by `str.format`, so braces are doubled."""
    return url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")


def reject_password_in(text: str) -> None:
    """Refuse a URL given on the command line if it holds a password.

    Raises:
        StoreError: It cannot be read.
        TunerError: It holds a password.
    """
    url = parse(text)
    if url.password or url != _without_secrets(url):
        message = "the URL given with --store holds a password, which ps shows to everyone on this machine"
        raise TunerError(f"{message}; use the variable TUNER_STORE for the URL, or PGPASSFILE or PGPASSWORD")


def _password_in_its_place(url: URL) -> URL:
    """The URL with a password in its query, which libpq takes too, moved to where it is hidden."""
    password = url.query.get("password")
    if password is None:
        return url
    if not isinstance(password, str):
        raise StoreError("the store's URL holds the key password more than once; keep one")
    return url.difference_update_query(["password"]).set(password=password)


def _without_secrets(url: URL) -> URL:
    """The URL without what its query has of passwords and tokens."""
    return url.difference_update_query([each for each in url.query if is_sensitive(each)])


def _three_slashes(url: URL) -> str:
    """What to write instead of `sqlite://runs/tuner.db`, whose first folder would be taken for a server and ignored."""
    if url.username or url.password or url.port or "@" in (url.database or ""):
        return f"SQLite knows no servers: write three, as in {EXAMPLES}"
    return f"write three: sqlite:///{'/'.join(filter(None, (url.host, url.database)))}"

"""URLs without what may be a password or a token in them: how they are shown, and how messages of others are."""

import re
from collections.abc import Iterable
from itertools import takewhile
from urllib.parse import parse_qsl, unquote, unquote_plus, urlencode

HIDDEN = "***"
"""What stands for something that is not shown."""

ADVICE = "write : / ? # @ and % of a user or password as %3A %2F %3F %23 %40 %25"
"""What to do with a URL that cannot be read."""

_SECRET_WORDS = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey"),
    *("clientkey", "serverkey", "credential", "signature", "authorization", "bearer"),
)
_SECRET_KEYS = frozenset({"pass", "pwd", "pw", "key", "sig", "auth"})

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://"
    r"(?:(?P<userinfo>[^@/?#\s]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.\-]+)?\]|[^\[\]:@/?#\s]*)(?P<port>:[0-9]*)?"
    r"(?P<path>/[^?#@\s]*)?(?:\?(?P<query>[^#@\s]*))?(?:\#(?P<fragment>[^@\s]*))?"
)
"""A URL whose parts can be told from one another: its only @, if there is one, ends the user and the password."""

_FILE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?|file):///(?P<path>[^?]*)(?:\?(?P<query>[^#@\s]*))?")
"""The URL of a file, whose folders may have an @ in their names."""

_USER_AND_PASSWORD = re.compile(r":[^/].*@")
"""What no name of a folder looks like."""

_QUOTED = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s'\"<>`]+")
"""A URL in a message."""


def is_sensitive(key: str) -> bool:
    """Whether the value of a key in a query may be a secret.

    >>> is_sensitive("sslpassword"), is_sensitive("AWS_SECRET_ACCESS_KEY"), is_sensitive("passfile")
    (True, True, False)
    """
    plain = re.sub(r"[^a-z0-9]", "", unquote_plus(key).lower())
    return plain in _SECRET_KEYS or any(word in plain for word in _SECRET_WORDS)


def is_readable(url: str) -> bool:
    """Whether it can be told what in a URL is a user or password, and what is not; true of a plain path.

    >>> is_readable("http://ann:se%2Fsame@host/x"), is_readable("http://ann:se/same@host/x"), is_readable("runs")
    (True, False, True)
    """
    return _parts(url) is not None


def is_ambiguous(url: str) -> bool:
    """Whether the last @ of a URL may end a password or be part of a query.

    >>> is_ambiguous("http://host/?token=se@same"), is_ambiguous("http://ann:ses?ame@host")
    (True, False)
    """
    address, question_mark, _ = url.rpartition("@")[0].partition("?")
    return bool(question_mark) and is_readable(address)


def shown(url: str) -> str:
    """A URL as it may be shown.

    A database's keeps the user. A server's loses it with the password, because it may be a token. A query ends where a
    secret may begin, and a fragment is left out. Of a URL that cannot be read nothing before its last @ is shown, and
    what is behind that only if it is certain to be no part of a query.

    >>> shown("postgresql://ann:sesame@db.lab/tuner?sslmode=require&password=sesame")
    'postgresql://ann:***@db.lab/tuner?sslmode=require'
    >>> shown("https://sesame@mlflow.example.org:5000/?token=sesame"), shown("http://ann:ses/ame@mlflow.lab:5000")
    ('https://mlflow.example.org:5000/', 'http://mlflow.lab:5000')
    """
    parts = _parts(url)
    if parts is None:
        return _without_all_but_the_host(url)
    if "path" not in parts:
        return url
    user = ""
    if parts.get("userinfo") and not _is_servers(parts["scheme"]):
        name, colon, _ = parts["userinfo"].partition(":")
        user = f"{name}:{HIDDEN}@" if colon else f"{name}@"
    # What follows a secret may be more of it, behind an & that should have been escaped.
    kept = list(takewhile(lambda pair: not is_sensitive(pair[0]), parse_qsl(parts["query"], True)))
    query = f"?{urlencode(kept, safe='/:,')}" if kept else ""
    where = f"{parts.get('host', '')}{parts.get('port', '')}"
    path = parts["path"].partition(";")[0] if _is_servers(parts["scheme"]) else parts["path"]  # its parameters
    return f"{parts['scheme']}://{user}{where}{path}{query}"


def holds_secret(url: str) -> bool:
    """Whether a URL holds a password or a token, or cannot be read and may hold one."""
    return not is_readable(url) or bool(secrets_in(url))


def secrets_in(url: str) -> frozenset[str]:
    """The passwords and tokens of a URL that can be read, as they are written and as they are meant."""
    parts = _parts(url)
    if parts is None or "path" not in parts:
        return frozenset()
    user, _, password = parts.get("userinfo", "").partition(":")
    is_token = _is_servers(parts["scheme"]) and password in ("", "x-oauth-basic")
    found = [user if is_token else password]
    pairs = (each.partition("=") for each in re.split("[&;]", parts["query"]))
    found += [value for key, _, value in pairs if is_sensitive(key)]
    return frozenset(meant for each in found for meant in (each, unquote(each), unquote_plus(each)) if meant)


def without_secrets(message: str, *, of: Iterable[str]) -> str:
    """A message of others without what may be secret in these URLs, nor in those that it quotes."""
    urls = tuple(of)
    text = message
    for each in urls:
        text = text.replace(each, shown(each))
    text = _QUOTED.sub(lambda found: shown(found[0]), text)
    for each in sorted({secret for url in urls for secret in secrets_in(url)}, key=len, reverse=True):
        text = text.replace(each, HIDDEN)
    return text


def _parts(url: str) -> dict[str, str] | None:
    """The parts of a URL; only `text` of a plain path or word; None if they cannot be told from one another."""
    if "://" not in url:
        has_secret = "@" in url or any(is_sensitive(key) for key in re.findall(r"(?:^|[\s?&;])([^=&;\s]*)=", url))
        return None if has_secret else {"text": url}
    if (file := _FILE.fullmatch(url)) is not None:
        is_path = _USER_AND_PASSWORD.search(file["path"]) is None
        return {"scheme": file["scheme"], "path": f"/{file['path']}", "query": file["query"] or ""} if is_path else None
    found = _URL.fullmatch(url)
    if found is None or (_is_servers(found["scheme"]) and not found["host"]):
        return None
    return {name: value or "" for name, value in found.groupdict().items()}


def _is_servers(scheme: str) -> bool:
    """Whether what stands before the @ may be a token: of everything but databases, which have users."""
    return not scheme.lower().startswith(("postgres", "mysql", "mariadb", "mssql", "oracle", "sqlite", "file"))


def _without_all_but_the_host(url: str) -> str:
    """What may be shown of a URL that cannot be read."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]*", scheme):
        scheme, separator = "", ""
    before, _, behind = rest.rpartition("@")
    is_host = _URL.fullmatch(f"x://{behind}") is not None
    if not before or not is_host or "#" in before or is_ambiguous(url):
        return f"{scheme}{separator}{HIDDEN}"
    return shown(f"{scheme}://{behind}") if separator else f"{HIDDEN}@{shown(f'x://{behind}')[4:]}"

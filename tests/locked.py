"""A role that PostgreSQL asks for a password: `locked_url` of conftest.py names a database of it."""

from urllib.parse import quote

ROLE = "tuner_test_role"
PASSWORD = "{se}sa%6De @:/?#'\"\\ü{{"
TELLTALES = ("sa%6De", "sa%256De")
"""A piece of the password as it is, and as URLs hold it; no way of quoting changes it."""


def with_password(url: str, password: str) -> str:
    return url.replace(f"{ROLE}@", f"{ROLE}:{quote(password, safe='')}@")

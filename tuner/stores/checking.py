"""Stored values, checked as they are read: a damaged one is named, and never taken for what it is not."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from tuner.errors import ConfigError, DamagedRecord

MOST = 2**63 - 1
"""The largest whole number that a database holds."""
SHOWN = 40
"""Letters of a damaged value that are shown."""

UNREADABLE = (
    *(ConfigError, ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError, OverflowError),
)
"""What is raised by what cannot make sense of a value, ours or Optuna's."""

Word = TypeVar("Word", bound=StrEnum)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever is wrong with what is read in the context, as `DamagedRecord` that says what was read."""
    try:
        yield
    except UNREADABLE as error:
        reason = error.problems[0] if isinstance(error, ConfigError) else str(error) or type(error).__name__
        raise DamagedRecord(" ".join(f"{what} cannot be read: {reason}".split())) from error


def whole(value: object, name: str, *, least: int = 0) -> int:
    """A whole number. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        raise ValueError(f"its {name} is {shown(value)}, and no whole number from {least}")
    return value


def number(value: object, name: str, *, finite: bool = True) -> float:
    """A number. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (finite and not math.isfinite(value)):
        raise ValueError(f"its {name} is {shown(value)}, and no{' finite' if finite else ''} number")
    return float(value)


def text(value: object, name: str, *, least: int = 0) -> str:
    """A text of at least so many letters. Raises `ValueError`."""
    if not isinstance(value, str) or len(value) < least:
        raise ValueError(f"its {name} is {shown(value)}, and no text")
    return value


def truth(value: object, name: str) -> bool:
    """Whether something is so: SQLite keeps a number. Raises `ValueError`."""
    if not isinstance(value, int) or value not in (0, 1):
        raise ValueError(f"its {name} is {shown(value)}, and neither true nor false")
    return bool(value)


def time(value: object, name: str) -> datetime:
    """A time. Raises `ValueError`."""
    if not isinstance(value, datetime):
        raise ValueError(f"its {name} is {shown(value)}, and no time")
    return value


def word(kind: type[Word], value: object, name: str) -> Word:
    """One of a few words. Raises `ValueError`."""
    if not isinstance(value, str) or value not in list(kind):
        raise ValueError(f"its {name} is {shown(value)}, and none of {', '.join(kind)}")
    return kind(value)


def table(value: object, name: str) -> Mapping[str, object]:
    """A table in JSON. Raises `ValueError`."""
    found = json.loads(text(value, name))
    if not isinstance(found, dict):
        raise ValueError(f"its {name} is {shown(value)}, and no table")
    return found


def shown(value: object) -> str:
    """A value as an error shows it: none at length, and none that changes what a terminal does."""
    if value is None:
        return "missing"
    said = ascii(value)
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}..."

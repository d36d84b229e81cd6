"""Frozen dataclasses from the tables of a TOML file, with every problem found and the nearest valid names."""

import dataclasses
import difflib
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from typing import Annotated, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from tuner.errors import ConfigError, Problem

T = TypeVar("T")

Table = Mapping[str, object]
"""A table as `tomllib` reads it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Marks a field, `Annotated[Model, Reader(read)]`, whose value `read` makes from what the file says.

    `read` raises `ConfigError` with paths relative to the field.
    """

    read: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Key:
    """Marks a field, `Annotated[tuple[str, ...], Key("metrics")]`, whose key in the file is not its name."""

    name: str


def fill(kind: type[T], table: Table, *, owner: str) -> T:
    """A dataclass from a table: its fields are the table's keys (or their `Key` is), checked against their types.

    Args:
        kind: The dataclass.
        table: The settings.
        owner: What messages call the table.

    Raises:
        ConfigError: Every unknown key, missing key and bad value, here and in nested tables.
    """
    hints = get_type_hints(kind, include_extras=True)
    fields = {
        _key(hints[each.name], each.name): each
        for each in dataclasses.fields(kind)  # type: ignore[arg-type]
        if each.init
    }
    problems = unknown_keys(table, fields, owner=owner)
    values: dict[str, object] = {}
    for key, field in fields.items():
        if key in table:
            try:
                values[field.name] = _value(hints[field.name], table[key], owner=key)
            except ConfigError as error:
                problems += [each.under(key) for each in error.problems]
        elif field.default is MISSING and field.default_factory is MISSING:
            problems.append(Problem(key, f"is missing; {owner} needs it"))
    if problems:
        raise ConfigError(problems)
    try:
        return kind(**values)
    except ValueError as error:
        raise ConfigError([Problem("", str(error))]) from error


def read(hint: object, given: object) -> object:
    """What the file says as a value of a type. Raises `ConfigError` with paths below the value."""
    try:
        # Strict, and by way of JSON: "50" is not a number, but an array may become a tuple and a string an enum.
        return _adapter(hint).validate_json(json.dumps(given, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(list(_problems(error))) from error


def table_of(given: object, *, example: str) -> Table:
    """`given`, if it is a table. Raises `ConfigError`."""
    if not isinstance(given, Mapping):
        raise ConfigError([Problem("", f"must be a table like {example}, not {given!r}")])
    return given


def unknown_keys(given: Iterable[str], known: Iterable[str], *, owner: str) -> list[Problem]:
    """A problem for each key that is not known."""
    extra = sorted(set(given) - set(known))
    return [Problem(key, f"is not a setting of {owner}; {nearest(key, known)}") for key in extra]


def nearest(name: str, known: Iterable[str]) -> str:
    """What to write instead of a name: the closest valid one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"it has {', '.join(names)}" if names else "it has none"


@functools.cache
def _adapter(hint: object) -> TypeAdapter[object]:
    """What checks values of a type. It takes longer to make than to use a hundred times."""
    return TypeAdapter(hint)  # type: ignore[arg-type]  # any annotation will do


def _key(hint: object, name: str) -> str:
    """The key of a field of this name."""
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((each.name for each in marks if isinstance(each, Key)), name)


def _value(hint: object, given: object, *, owner: str) -> object:
    """A field's value from what the file says. Raises `ConfigError` with paths below the field."""
    for mark in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(mark, Reader):
            return mark.read(given)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return fill(hint, table_of(given, example="{ key = value }"), owner=owner)
    return read(hint, given)


def _problems(error: ValidationError) -> Iterator[Problem]:
    """What pydantic found, in our words."""
    for each in error.errors():
        message = "is empty" if each["type"] == "too_short" else each["msg"].removeprefix("Input ")
        yield Problem(".".join(str(part) for part in each["loc"]), f"{message}, not {each['input']!r}")

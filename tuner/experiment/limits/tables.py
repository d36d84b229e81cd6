"""Whether a table is one that a file of settings may hold at all, before anything in it is looked at."""

from collections.abc import Iterator, Mapping, Sequence

from tuner.errors import Problem

LETTERS_OF_A_FILE = 1_000_000
"""The largest file. An experiment's has one or two thousand."""
DEPTH = 20
"""Tables within tables. What reads and writes JSON calls itself for each."""
ENTRIES = 1_000
"""Entries of one table or list."""
VALUES = 10_000
"""All of them together."""
LETTERS = 10_000
"""A text, such as a command."""
KEY_LETTERS = 250
"""A key."""
BITS = 63
"""A whole number: what databases and other programs take."""


def table_problems(table: Mapping[str, object]) -> list[Problem]:
    """What is too large in a table. It calls itself for nothing, so that no table is too deep for it."""
    problems: list[Problem] = []
    left: list[tuple[str, int, object]] = [("", 0, table)]
    seen = 0
    while left:
        path, depth, value = left.pop()
        seen += 1
        if seen > VALUES:
            return [*problems, Problem("", f"holds more than {VALUES:,} values; settings are fewer")]
        if wrong := _problem(value, depth):
            problems.append(Problem(path, wrong))
            continue
        left += [(f"{path}.{key}" if path else key, depth + 1, each) for key, each in reversed([*_entries(value)])]
        long = [key for key, _ in _entries(value) if len(key) > KEY_LETTERS]
        problems += [Problem(path, f"has a key of {len(key):,} letters; at most {KEY_LETTERS}") for key in long]
    return problems


def _problem(value: object, depth: int) -> str:
    """What is wrong with a value itself; empty if nothing is."""
    if isinstance(value, str):
        return f"is a text of {len(value):,} letters; at most {LETTERS:,}" if len(value) > LETTERS else ""
    if isinstance(value, int):
        return f"is a whole number of {value.bit_length():,} bits; at most {BITS}" if value.bit_length() > BITS else ""
    if not isinstance(value, Mapping | Sequence):
        return ""
    if depth > DEPTH:
        return f"is a table within {depth} others; at most {DEPTH}"
    return f"has {len(value):,} entries; at most {ENTRIES:,}" if len(value) > ENTRIES else ""


def _entries(value: object) -> Iterator[tuple[str, object]]:
    """What a table or list holds, each with its key or number."""
    if isinstance(value, Mapping):
        yield from ((str(key), each) for key, each in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from ((str(index), each) for index, each in enumerate(value))

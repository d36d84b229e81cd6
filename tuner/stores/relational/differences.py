"""The differences between two tables of settings."""

from collections.abc import Iterator, Mapping

from tuner.experiment.settings import Table

_ABSENT = object()


def differences(stored: Table, given: Table, *, equal: Mapping[str, tuple[object, object]] | None = None) -> list[str]:
    """A phrase for every setting that differs, under its dotted path.

    Args:
        stored: The settings before.
        given: The settings now.
        equal: By path, a stored and a given value that count as equal.

    >>> differences({"search": {"points": 50}, "seed": 0}, {"search": {"points": 60}, "seed": 0})
    ['search.points = 50, now 60']
    """
    before, after = dict(_leaves(stored)), dict(_leaves(given))
    paths = sorted(before.keys() | after.keys())
    pairs = [(path, before.get(path, _ABSENT), after.get(path, _ABSENT)) for path in paths]
    return [
        f"{path} = {_shown(old)}, now {_shown(new)}"
        for path, old, new in pairs
        if old != new and (old, new) != (equal or {}).get(path)
    ]


def _leaves(table: Table, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every setting that is not itself a table, with its path."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: object) -> str:
    return "absent" if value is _ABSENT else repr(value)

"""The settings in which several experiments differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuner.experiment import Experiment
from tuner.experiment.growth import ABSENT, settings_by_path

EFFORT = ("search", "confirmation")
"""The tables that say how hard optima were looked for, and not what was trained."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that is not the same in all experiments.

    Attributes:
        path: Its key in the file, `objective.optimizer.kind`; or that of a table which some lack, `space.momentum`.
        values: That of each experiment; `ABSENT` where there is none.
    """

    path: str
    values: tuple[object, ...]

    @property
    def table(self) -> str:
        """The table of the file that it is in: `objective`, or a key outside all tables."""
        return self.path.partition(".")[0]


def differing(experiments: Sequence[Experiment]) -> tuple[Setting, ...]:
    """The settings that differ, in the order of a file; names do not count.

    >>> from dataclasses import replace
    >>> from tuner.experiment import load
    >>> preset = load("nqm-sgd")
    >>> [(each.path, each.values) for each in differing([preset, replace(preset, name="again", seed=7)])]
    [('seed', (0, 7))]
    """
    tables = [settings_by_path(each) for each in experiments]
    paths = dict.fromkeys(path for each in tables for path in each if path != "name")
    rows = (Setting(path, tuple(each.get(path, ABSENT) for each in tables)) for path in paths)
    found = [each for each in rows if any(value != each.values[0] for value in each.values)]
    order = list(dict.fromkeys(each.partition(".")[0] for each in paths))
    whole = dict.fromkeys(_whole(each.path, tables) for each in found)
    shown = (Setting(path, tuple(_value(path, each) for each in tables)) for path in whole)
    return tuple(sorted(shown, key=lambda each: order.index(each.table)))


def _whole(path: str, tables: Sequence[Mapping[str, object]]) -> str:
    """The path of the table within `[space]`, say, that a setting is in, if some experiment lacks it; else its own."""
    parent = path.rpartition(".")[0]
    if "." not in parent or all(_value(parent, each) is not ABSENT for each in tables):
        return path
    return _whole(parent, tables)


def _value(path: str, table: Mapping[str, object]) -> object:
    """A setting, or the settings of a table by their keys; `ABSENT` if there is none."""
    below = {key.removeprefix(f"{path}."): value for key, value in table.items() if key.startswith(f"{path}.")}
    return table.get(path, below or ABSENT)

"""Experiments as files: reading TOML, presets, templates, and what is wrong between a file and the code it names."""

import importlib.resources
import os
import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from tuner.errors import ConfigError, Problem, TunerError
from tuner.experiment.definition import Experiment, from_table
from tuner.experiment.limits.names import is_name, name_problem
from tuner.experiment.limits.numbers import limits_hold
from tuner.experiment.limits.tables import LETTERS_OF_A_FILE, table_problems
from tuner.experiment.settings import Table, nearest
from tuner.experiment.workload.bounds import bound_problems
from tuner.experiment.workload.problems import discovered, read_workload, sized
from tuner.objective import Objective


def presets() -> dict[str, str]:
    """The experiments shipped with the package: their files' texts, by name."""
    folder = importlib.resources.files("objectives") / "presets"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    return {each.name.removesuffix(".toml"): each.read_text(encoding="utf-8") for each in files}


def preset_text(name: str) -> str:
    """A preset's file. Raises `TunerError` if there is none of this name."""
    texts = presets()
    if name not in texts:
        raise TunerError(f"{name} is not a preset; {nearest(name, texts)}")
    return texts[name]


CODE = "train.py"
"""The training code of a template, which its experiment names."""


def write_template(template: str, path: Path) -> bool:
    """Write a small experiment to start from, named as its file, and an example of training code beside it.

    Args:
        template: `module`, `function` or `command`: what trains.
        path: The experiment's file.

    Returns:
        Whether the code was written. One that is there already is kept.

    Raises:
        TunerError: The file is there already, is none of TOML, or cannot be written.
    """
    folder = importlib.resources.files("tuner.experiment") / "templates" / template
    text = (folder / "experiment.toml").read_text(encoding="utf-8")
    if path.suffix != ".toml" or not is_name(path.stem) or name_problem(path.stem):
        raise TunerError(f"{path} is no name for an experiment's file; give one like mine.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace('name = "experiment"', f'name = "{path.stem}"'))
        with (path.parent / CODE).open("x", encoding="utf-8") as file:
            file.write((folder / CODE).read_text(encoding="utf-8"))
    except FileExistsError as error:
        if error.filename == str(path):
            raise TunerError(f"{path} is there already, and nothing is overwritten; give another name") from error
        return False
    except OSError as error:
        raise TunerError(f"{error.filename} cannot be written: {error.strerror}") from error
    return True


def load(file_or_preset: str) -> Experiment:
    """The experiment in a file, or a preset's, checked against the code it names.

    Raises:
        ConfigError: Every problem found.
        TunerError: There is no such file or preset.
    """
    path = Path(file_or_preset)
    if path.suffix != ".toml" and file_or_preset in presets():
        return parse(presets()[file_or_preset], source=file_or_preset)
    try:
        with path.open(encoding="utf-8-sig") as file:  # some editors begin a file with a mark
            text = file.read(LETTERS_OF_A_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: it is not UTF-8, or the path holds a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{file_or_preset}: cannot be read ({reason}); give a TOML file or a preset: {', '.join(presets())}"
        raise TunerError(message) from error
    return parse(text, source=file_or_preset)


def load_any(given: str | PathLike[str] | Mapping[str, object] | Experiment) -> Experiment:
    """The experiment in a file, a preset's, a table's, or the one given, checked against the code it names.

    Raises:
        ConfigError: Every problem found.
        TunerError: There is no such file or preset.
    """
    if isinstance(given, Experiment):
        return check(given.to_table(), source=given.name)
    if isinstance(given, Mapping):
        return check(given, source="the experiment")
    return load(os.fspath(given))


def parse(text: str, *, source: str) -> Experiment:
    """The experiment in a TOML text, checked against the code it names. Raises `ConfigError` with every problem."""
    if len(text) > LETTERS_OF_A_FILE:
        message = f"is no experiment's file: it has more than {LETTERS_OF_A_FILE:,} letters"
        raise ConfigError([Problem("", message)], source=source)
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError([Problem("", "has tables or lists within hundreds of others")], source=source) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Problem("", f"is not valid TOML: {error}")], source=source) from error
    except ValueError as error:  # Python itself refuses so long a number
        raise ConfigError([Problem("", "holds a whole number of thousands of digits")], source=source) from error
    return check(table, source=source)


def check(table: Table, *, source: str) -> Experiment:
    """The experiment in a table, checked against the code it names. Raises `ConfigError` with every problem.

    Settings of the workload that a trial tells are found by training one up to its first measurement. The experiment
    that is returned has them, and the size of the training set if its budget needs it, so that nobody has to find them
    again.

    Args:
        table: The settings, as a TOML file has them.
        source: What messages call the table.
    """
    if problems := table_problems(table):
        raise ConfigError(problems, source=source)
    with limits_hold():
        experiment, objective = _checked(table, source=source)
    try:
        found = discovered(experiment, objective)
    except ConfigError as error:
        raise ConfigError([each.under("objective") for each in error.problems], source=source) from error
    if found:
        return check({**table, "objective": {**experiment.objective, **found}}, source=source)
    if problems := bound_problems(experiment, objective):
        raise ConfigError(problems, source=source)
    return experiment


def _checked(table: Table, *, source: str) -> tuple[Experiment, Objective | None]:
    """The experiment in a table, and its workload, if they fit to each other. Raises `ConfigError`."""
    problems: list[Problem] = []
    experiment = None
    try:
        experiment = from_table(table)
    except ConfigError as error:
        problems += error.problems
    objective, wrong = read_workload(table)
    problems += wrong
    if experiment is None or problems:
        raise ConfigError(problems, source=source)
    try:
        return sized(experiment, objective), objective
    except ConfigError as error:
        raise ConfigError(error.problems, source=source) from error

"""A command whose arguments name what they hold: `["train", "--lr", "{learning_rate}"]`. No shell reads it."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from string import Formatter

from objectives.loops.told import BATCH_SIZE
from tuner.errors import ConfigError, Problem

PYTHON = "python"


def placeholders(command: Sequence[str]) -> frozenset[str]:
    """The names in braces.

    Raises:
        ConfigError: Braces do not match, or hold something else than a name.
    """
    names: set[str] = set()
    problems: list[Problem] = []
    for number, argument in enumerate(command):
        try:
            names |= _names(argument)
        except ValueError as error:
            problems.append(Problem(f"command.{number}", f"{argument} {error}; write {{{{ and }}}} for braces"))
    if problems:
        raise ConfigError(problems)
    return frozenset(names)


def check_command(command: Sequence[str]) -> None:
    """Raise `ConfigError` if a command cannot be run here, or would not learn the batch size."""
    if BATCH_SIZE not in placeholders(command):
        message = "has no {batch_size}; every study trains at a batch size of its own"
        raise ConfigError([Problem("command", message)])
    program = command[0]
    if program != PYTHON and not _names(program) and shutil.which(program) is None:
        message = f"{program} is not a program that is found here; give its path, or put it on PATH"
        raise ConfigError([Problem("command.0", message)])


def filled(command: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """The arguments with a value in place of each name. A format may follow a name, as in `{learning_rate:.3g}`.

    The program `python` is the Python that runs this.

    >>> filled(["train", "--lr={learning_rate}", "{{}}"], {"learning_rate": 0.1})
    ['train', '--lr=0.1', '{}']
    """
    program, *arguments = (argument.format_map(values) for argument in command)
    return [sys.executable if program == PYTHON else program, *arguments]


def _names(argument: str) -> set[str]:
    """The names in the braces of an argument. Raises `ValueError`."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(argument) if name is not None}
    except ValueError as error:
        raise ValueError("has a brace without its other") from error
    if wrong := sorted(each for each in names if not each.isidentifier()):
        raise ValueError(f"has {{{wrong[0]}}}, which is no name")
    return names

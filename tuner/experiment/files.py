"""Experiments as files: reading TOML, the presets, and what is wrong between a file and the code that it names."""

import importlib.resources
import os
import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from tuner.errors import ConfigError, Problem, TunerError
from tuner.experiment.components import build
from tuner.experiment.definition import Experiment, from_table
from tuner.experiment.settings import Table, nearest
from tuner.objective import CheckedObjective, Objective


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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
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
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Problem("", f"is not valid TOML: {error}")], source=source) from error
    return check(table, source=source)


def check(table: Table, *, source: str) -> Experiment:
    """The experiment in a table, checked against the code it names. Raises `ConfigError` with every problem.

    Args:
        table: The settings, as a TOML file has them.
        source: What messages call the table.
    """
    problems: list[Problem] = []
    experiment = None
    try:
        experiment = from_table(table)
    except ConfigError as error:
        problems += error.problems
    problems += _component_problems(table)
    if experiment is None or problems:
        raise ConfigError(problems, source=source)
    return experiment


def _component_problems(table: Table) -> list[Problem]:
    """What is wrong with the components named, and between them and the rest, as far as the rest can be read."""
    problems: list[Problem] = []
    search = table.get("search")
    if isinstance(search, Mapping) and "sampler" in search:
        try:
            build("tuner.samplers", search["sampler"], object)
        except ConfigError as error:
            problems += [each.under("search.sampler") for each in error.problems]
    if "objective" in table:
        try:
            objective = build("objectives", table["objective"], Objective)
            problems += _contract_problems(table, objective)
            if isinstance(objective, CheckedObjective):
                objective.check()
            problems += _size_problems(table, objective)
        except ConfigError as error:
            problems += [each.under("objective") for each in error.problems]
    return problems


def _contract_problems(table: Table, objective: Objective) -> list[Problem]:
    """Where the file asks of a workload what it does not offer, or the other way round."""
    problems: list[Problem] = []
    match table.get("goal"):
        case {"metric": str(metric)} if metric not in objective.metrics:
            owner = table["objective"]["kind"]  # type: ignore[index]
            message = f"{metric} is not a metric of {owner}; it has {', '.join(sorted(objective.metrics))}"
            problems.append(Problem("goal.metric", message))
        case {"metric": str(metric)} if metric.startswith("test/"):
            problems.append(Problem("goal.metric", f"{metric} must stay unseen by the search; use a validation metric"))
    match table.get("space"):
        case {**parameters}:
            names = {str(name) for name in parameters}
            for name in sorted(names - objective.hyperparameters):
                message = f"is not a hyperparameter of this objective; {nearest(name, objective.hyperparameters)}"
                problems.append(Problem(f"space.{name}", message))
            missing = sorted(objective.hyperparameters - names)
            problems += [Problem(f"space.{name}", "is missing; the objective needs it") for name in missing]
    return problems


def _size_problems(table: Table, objective: Objective) -> list[Problem]:
    """Batch sizes that are larger than the training set."""
    problems: list[Problem] = []
    match table.get("batch_sizes"):
        case [*sizes]:
            examples = objective.train_examples
            for index, size in enumerate(sizes):
                if isinstance(size, int) and size > examples:
                    message = f"{size} is larger than the training set of {examples} examples"
                    problems.append(Problem(f"batch_sizes.{index}", message))
    return problems

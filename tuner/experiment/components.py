"""Components by module name: `kind = "tpe"` is the one public name of `tuner/samplers/tpe.py`.

A component is a frozen dataclass whose fields are its TOML keys; its module's `__all__` holds its name alone.
A field that is itself a component is annotated `Annotated[Model, component("objectives.models")]`, and written as a
nested table with a `kind` of its own. `kind = "package.module:Name"` names a class of the user's own; loading it
runs that module.
"""

import dataclasses
import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

from tuner.errors import ConfigError, Problem
from tuner.experiment.settings import Reader, fill, nearest, table_of
from tuner.tracebacks import explained, users_code

T = TypeVar("T")


def available(package: str) -> list[str]:
    """The kinds a package ships."""
    return sorted(
        each.name for each in pkgutil.iter_modules(importlib.import_module(package).__path__) if not each.ispkg
    )


def component(package: str) -> Reader:
    """Marks a field that holds a component, whose `kind` is looked up in `package`."""
    return Reader(lambda given: build(package, given, object))


def build(package: str, settings: object, protocol: type[T]) -> T:
    """The component that a table of settings describes.

    Args:
        package: Where its `kind` is looked up.
        settings: The table.
        protocol: What it must be.

    Raises:
        ConfigError: Every unknown key, missing key and bad value in the table and those nested in it.
    """
    table = dict(table_of(settings, example='{ kind = "..." }'))
    kind = table.pop("kind", None)
    if not isinstance(kind, str):
        raise ConfigError([Problem("kind", f"is missing; it is one of {', '.join(available(package))}")])
    component_class = _find(package, kind)
    with users_code(kind, path="kind"):
        built: object = fill(component_class, table, owner=kind)
        if isinstance(built, protocol):  # which asks for its properties
            return built
    raise ConfigError([Problem("kind", f"{kind} is not one of the {package.rpartition('.')[2]}")])


def find_named(package: str, name: str, *, advice: str = "") -> object:
    """What a name in an experiment's file stands for; None if its module does not have it.

    Args:
        package: Where a name without a colon is looked up: it is that of a module, and stands for its public name.
        name: Such a name, or `package.module:Name`.
        advice: What a message about an unknown name ends with.

    Raises:
        ConfigError: There is no such module, or it cannot be imported.
    """
    module_name, _, member = name.partition(":")
    known = available(package)
    if not member and name not in known:
        message = f"{name} is not one of the {package.rpartition('.')[2]}; {nearest(name, known)}{advice}"
        raise ConfigError([Problem("", message)])
    module = import_module(module_name if member else f"{package}.{name}", named=name)
    return getattr(module, member or module.__all__[0], None)


def import_module(module: str, *, named: str) -> ModuleType:
    """A module that an experiment's file names as a part of `named`. Raises `ConfigError` if it cannot be imported."""
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a module of the user's may fail in any way, or end the program
        raise ConfigError([Problem("", f"{named} cannot be imported: {explained(error)}")]) from error


def _find(package: str, kind: str) -> type[object]:
    """The class that a kind names. Raises `ConfigError`."""
    try:
        found = find_named(package, kind)
    except ConfigError as error:
        raise ConfigError([each.under("kind") for each in error.problems]) from error
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ConfigError([Problem("kind", f"{kind} does not name a dataclass, which every component is")])
    return found

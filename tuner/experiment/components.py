"""Components by module name: `kind = "tpe"` is the one public name of `tuner/samplers/tpe.py`.

A component is a frozen dataclass whose fields are its TOML keys; its module's `__all__` holds its name alone.
A field that is itself a component is annotated `Annotated[Model, component("objectives.models")]`, and written as a
nested table with a `kind` of its own. `kind = "package.module:Name"` names a class of the user's own; loading it
runs that module.
"""

import dataclasses
import importlib
import pkgutil
from typing import TypeVar

from tuner.errors import ConfigError, Problem, TunerError
from tuner.experiment.settings import Reader, fill, nearest, table_of
from tuner.tracebacks import explained

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
    try:
        built: object = fill(component_class, table, owner=kind)
        if isinstance(built, protocol):  # which asks for its properties
            return built
    except TunerError:
        raise
    except Exception as error:  # a class of the user's may fail in any way
        raise ConfigError([Problem("kind", f"{kind} raised {explained(error)}")]) from error
    raise ConfigError([Problem("kind", f"{kind} is not one of the {package.rpartition('.')[2]}")])


def _find(package: str, kind: str) -> type[object]:
    """The class that a kind names. Raises `ConfigError`."""
    module_name, _, name = kind.partition(":")
    if not name and kind not in available(package):
        noun = package.rpartition(".")[2]
        raise ConfigError([Problem("kind", f"{kind} is not one of the {noun}; {nearest(kind, available(package))}")])
    try:
        module = importlib.import_module(module_name if name else f"{package}.{kind}")
    except Exception as error:  # a module of the user's may fail in any way
        message = f"{kind} cannot be imported: {explained(error)}"
        raise ConfigError([Problem("kind", message)]) from error
    found = getattr(module, name or module.__all__[0], None)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ConfigError([Problem("kind", f"{kind} does not name a dataclass, which every component is")])
    return found

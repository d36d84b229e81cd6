"""The user's function: where it is, and which parameters it has."""

import inspect
from collections.abc import Callable, Iterator

from objectives.loops.told import BATCH_SIZE
from tuner.errors import ConfigError, Problem
from tuner.experiment.components import import_module
from tuner.experiment.settings import nearest

LoopFunction = Callable[..., Iterator[object]]


def find(path: str) -> LoopFunction:
    """The generator function that `package.module:name` names, checked to have parameters that can be given.

    Raises:
        ConfigError: There is none, or a trial could not call it.
    """
    module_name, colon, name = path.partition(":")
    if not (module_name and colon and name):
        raise _problem(f"must name a function as in my_lab.train:train, not {path!r}")
    try:
        module = import_module(module_name, named=path)
    except ConfigError as error:
        raise ConfigError([each.under("function") for each in error.problems]) from error
    found = getattr(module, name, None)
    if found is None:
        functions = [each for each, value in vars(module).items() if inspect.isgeneratorfunction(value)]
        raise _problem(f"{module_name} has no {name}; {nearest(name, functions)}")
    if not inspect.isgeneratorfunction(inspect.unwrap(found)):
        raise _problem(f"{path} is not a generator: it has to yield (step, metrics) from its training loop")
    _check(path, found)
    return found  # type: ignore[no-any-return]


def parameters(function: LoopFunction) -> frozenset[str]:
    """The names of all parameters."""
    return frozenset(inspect.signature(function).parameters)


def with_defaults(function: LoopFunction) -> frozenset[str]:
    """The names of the parameters that may be left out."""
    every = inspect.signature(function).parameters.values()
    return frozenset(each.name for each in every if each.default is not inspect.Parameter.empty)


def _check(path: str, function: LoopFunction) -> None:
    """Raise `ConfigError` if the parameters cannot be given by name, or the batch size is not among them."""
    for each in inspect.signature(function).parameters.values():
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            advice = "name each hyperparameter, as in train(*, learning_rate, batch_size, seed)"
            raise _problem(f"{path} has the parameter {each}, which cannot be given by its name; {advice}")
    if BATCH_SIZE not in parameters(function):
        raise _problem(f"{path} has no parameter batch_size; every study trains at a batch size of its own")


def _problem(message: str) -> ConfigError:
    return ConfigError([Problem("function", message)])

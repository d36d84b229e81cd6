"""What an objective says of itself, checked where it enters: it may be code of the user's, which returns anything."""

import operator
from collections.abc import Callable, Collection
from typing import NoReturn, TypeVar

from tuner.errors import ConfigError, Problem
from tuner.experiment.workload.names import is_loggable
from tuner.objective import Objective
from tuner.tracebacks import users_code

T = TypeVar("T")


def check_hyperparameters(objective: Objective) -> None:
    """Raise `ConfigError` if the hyperparameters of an objective are not a set of names."""
    for name in _names(objective, "hyperparameters", lambda: objective.hyperparameters):
        if not name.isidentifier():
            _refuse(objective, "hyperparameters", f"holds {name!r}; a hyperparameter has a name like learning_rate")


def check_metrics(objective: Objective) -> None:
    """Raise `ConfigError` if the metrics of an objective are not a set of names that MLflow takes."""
    names = _names(objective, "metrics", lambda: objective.metrics)
    if not names:
        _refuse(objective, "metrics", "is empty; it names everything that a trial measures")
    for name in names:
        if not is_loggable(name):
            allowed = "letters, digits, '_', '-', '.', ' ', ':' and '/'"
            _refuse(objective, "metrics", f"holds {name!r}; a name is of {allowed}, like validation/f1")


def examples_of(objective: Objective) -> int:
    """The size of the training set. Raises `ConfigError` if it is not a positive whole number."""
    found = _asked(objective, "train_examples", lambda: objective.train_examples)
    try:
        many = operator.index(found)
    except TypeError:
        _refuse(objective, "train_examples", f"is {found!r}; it is the number of training examples")
    if isinstance(found, bool) or many < 1:
        _refuse(objective, "train_examples", f"is {found!r}; there must be at least one training example")
    return many


def _names(objective: Objective, member: str, ask: Callable[[], Collection[str]]) -> list[str]:
    found = _asked(objective, member, ask)
    if isinstance(found, str) or not isinstance(found, Collection):
        _refuse(objective, member, f"is {found!r}; it is a set of names, like frozenset({{'validation/error'}})")
    for each in found:
        if not isinstance(each, str):
            _refuse(objective, member, f"holds {each!r}; it is a set of names")
    return sorted(found)


def _asked(objective: Objective, member: str, ask: Callable[[], T]) -> T:
    """What an objective answers. Raises `ConfigError` if its code raises."""
    with users_code(f"{type(objective).__name__}.{member}"):
        return ask()


def _refuse(objective: Objective, member: str, problem: str) -> NoReturn:
    raise ConfigError([Problem("", f"{type(objective).__name__}.{member} {problem}")])

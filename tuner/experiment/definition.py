"""An experiment: one workload searched over a list of batch sizes. Its fields are the keys of its TOML file."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Annotated

from annotated_types import Ge, Gt, MinLen
from pydantic import AllowInfNan

from tuner.errors import ConfigError, Problem
from tuner.experiment.components import build
from tuner.experiment.goals import ReachTarget
from tuner.experiment.search_settings import FIRST_DEFAULT, ConfirmationSettings, Count, SearchSettings
from tuner.experiment.settings import Reader, Table, fill, read, table_of
from tuner.experiment.space import Choice, Fixed, Parameter, Range, SearchSpace
from tuner.objective import MeasuringPlan, Objective, Target

ALWAYS = "always"


def is_name(text: str) -> bool:
    """Whether an experiment can be called this: it is a file's name too, and part of other names."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None


def _read_name(given: object) -> str:
    """A name that can be a file's and part of another name. Raises `ConfigError`."""
    if isinstance(given, str) and is_name(given):
        return given
    raise ConfigError([Problem("", f"must be letters, digits, '.', '_' and '-', as in mnist-cnn.v2, not {given!r}")])


def _read_budget(given: object) -> object:
    """One number of steps, or one for each batch size. Raises `ConfigError`."""
    return read(Mapping[Count, Count] if isinstance(given, Mapping) else Count, given)


def _read_test_steps(given: object) -> object:
    """A number of steps, or the word for all of them. Raises `ConfigError`."""
    if given == ALWAYS:
        return given
    if isinstance(given, str):
        raise ConfigError([Problem("", f'must be a number of steps or "{ALWAYS}", not {given!r}')])
    return read(Annotated[int, Ge(0)], given)


def read_space(given: object) -> SearchSpace:
    """The space, from a table of tables. Raises `ConfigError`."""
    problems: list[Problem] = []
    parameters: dict[str, Parameter] = {}
    for name, table in table_of(given, example="{ learning_rate = { ... } }").items():
        try:
            parameters[name] = _read_parameter(table)
        except ConfigError as error:
            problems += [each.under(name) for each in error.problems]
    if problems:
        raise ConfigError(problems)
    return SearchSpace(parameters)


def _read_parameter(given: object) -> Parameter:
    """A range, a choice or a fixed value, told apart by its keys. Raises `ConfigError`."""
    table = table_of(given, example='{ low = 1e-3, high = 10, scale = "log" }')
    if "options" in table:
        return fill(Choice, table, owner="a choice")
    if "value" in table:
        return fill(Fixed, table, owner="a fixed value")
    return fill(Range, table, owner="a range")


Level = Annotated[float, Gt(0), AllowInfNan(False)]


@dataclass(frozen=True, slots=True)
class GoalSettings:
    """What every trial is for: to bring `metric` below `below`, or above `above`, in few steps.

    Attributes:
        within_steps: The budget of a trial: one for all batch sizes, or a table `{ 8 = 4000, 64 = 600 }` of each.
        below, above: The target; one of the two.
        also_below, also_above: Weaker targets. The first step at which each is met is exact, as for the target.

    Raises:
        ValueError: There is not one target, or a further one is not weaker.
    """

    metric: str
    within_steps: Annotated[int | Mapping[int, int], Reader(_read_budget)]
    below: Level | None = None
    above: Level | None = None
    also_below: tuple[Level, ...] = ()
    also_above: tuple[Level, ...] = ()

    def __post_init__(self) -> None:
        if (self.below is None) == (self.above is None):
            raise ValueError("needs one target: below = 0.03 or above = 0.97")
        wrong = "also_above" if self.above is None else "also_below"
        if getattr(self, wrong):
            raise ValueError(f"{wrong} does not go with a target {self.target.phrase}; use {self._also}")
        for each in self.targets[:-1]:
            if not each.is_met(self.target.value):
                raise ValueError(f"{self._also} holds {each.value:g}: no weaker than the target {self.target.phrase}")

    @property
    def target(self) -> Target:
        """The target itself."""
        return Target(self.above, above=True) if self.below is None else Target(self.below)  # type: ignore[arg-type]

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, the weakest first and the goal's own last."""
        also = sorted({*self.also_below, *self.also_above}, reverse=self.above is None)
        return (*(Target(each, above=self.target.above) for each in also), self.target)

    @property
    def phrase(self) -> str:
        """The metric and its target, for a person: `validation/error below 0.03`."""
        return f"{self.metric} {self.target.phrase}"

    def at(self, batch_size: int) -> ReachTarget:
        """The goal of a study. Raises `KeyError` if no budget is given for its batch size."""
        each = self.within_steps
        steps = each[batch_size] if isinstance(each, Mapping) else each
        return ReachTarget(self.metric, self.target, steps, batch_size)

    @property
    def budget(self) -> str:
        """The budget, for a person: `4,000 steps` or `600 to 4,000 steps`."""
        if not isinstance(self.within_steps, Mapping):
            return f"{self.within_steps:,} steps"
        return f"{min(self.within_steps.values()):,} to {max(self.within_steps.values()):,} steps"

    @property
    def _also(self) -> str:
        return "also_below" if self.above is None else "also_above"


@dataclass(frozen=True, slots=True)
class MeasuringSettings:
    """How much of the data a measurement sees. It never changes when a trial reaches its target.

    Attributes:
        until_certain: Whether a measurement ends as soon as the next target is certainly not met. Then some values of a
            curve are estimates from a part of the validation set. Otherwise every measurement sees all of it.
        test_steps: Test metrics are measured where a trial ends. Of trials that report a winner they are also measured
            at up to this many steps, evenly spread over the logarithm of the steps. `"always"` measures them with every
            measurement of every trial.
    """

    until_certain: bool = True
    test_steps: Annotated[int | str, Reader(_read_test_steps)] = 16

    def plan(self, goal: GoalSettings, batch_size: int, *, reports: bool) -> MeasuringPlan:
        """What is asked of the measurements of a study, of trials that report the winner or of others."""
        targets = goal.targets if self.until_certain else ()
        budget = goal.at(batch_size).within_steps
        if isinstance(self.test_steps, str):
            return MeasuringPlan(goal.metric, targets, max_steps=budget)
        steps = log_spaced(budget, self.test_steps) if reports else ()
        return MeasuringPlan(goal.metric, targets, steps, budget)


def log_spaced(last: int, many: int) -> tuple[int, ...]:
    """Up to `many` different steps from 1 to `last`, evenly spread over their logarithm.

    >>> log_spaced(1000, 4), log_spaced(3, 16), log_spaced(1000, 1)
    ((1, 10, 100, 1000), (1, 2, 3), (1000,))
    """
    exponents = (index / (many - 1) for index in range(many)) if many > 1 else [1.0] * many
    return tuple(sorted({round(last**each) for each in exponents}))


@dataclass(frozen=True)
class Experiment:
    """Everything that decides what is measured. Where it runs is not part of an experiment.

    Attributes:
        objective: The workload's table.
        grown_from: The digest of the settings with which the experiment was first stored, if work was added to it
            since. The store writes it; files have no such key.
    """

    name: Annotated[str, Reader(_read_name)]
    batch_sizes: Annotated[tuple[Count, ...], MinLen(1)]
    objective: Mapping[str, object]
    goal: GoalSettings
    space: Annotated[SearchSpace, Reader(read_space)]
    search: SearchSettings = SearchSettings()  # noqa: RUF009 - a frozen value
    confirmation: ConfirmationSettings = ConfirmationSettings()  # noqa: RUF009 - a frozen value
    measuring: MeasuringSettings = MeasuringSettings()
    seed: Annotated[int, Ge(0)] = 0
    grown_from: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.batch_sizes)) < len(self.batch_sizes):
            raise ValueError("batch_sizes holds the same size twice")
        if isinstance(self.goal.within_steps, Mapping):
            for size in sorted(set(self.batch_sizes) ^ set(self.goal.within_steps)):
                wrong = "has no budget for" if size in self.batch_sizes else "has a budget for the unknown"
                raise ValueError(f"goal.within_steps {wrong} batch size {size}; give one for each of batch_sizes")

    @cached_property
    def digest(self) -> str:
        """Identifies the experiment: by its settings when it was first stored, but for those at their first defaults.

        It outlives versions that add settings, and additions of work.
        """
        if self.grown_from is not None:
            return self.grown_from
        given = _plain(self, with_defaults=False)
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()

    def to_table(self) -> dict[str, object]:
        """The settings as plain values, defaults filled in: what `from_table` reads."""
        return _plain(self)  # type: ignore[return-value]

    @property
    def kind(self) -> str:
        """What the workload is called in the file."""
        return str(self.objective.get("kind"))

    def build_objective(self) -> Objective:
        """The workload. Imports the training code, and loads its data when asked for. Raises `ConfigError`."""
        return build("objectives", self.objective, Objective)


def space_table(space: SearchSpace) -> dict[str, object]:
    """A space as plain values: what `read_space` reads."""
    return _plain(space)  # type: ignore[return-value]


def _plain(value: object, *, with_defaults: bool = True) -> object:
    """Dataclasses and mappings as dictionaries of plain values; a space as the table of its parameters.

    None is left out, because TOML has no word for it, and so is an empty tuple.
    """
    if isinstance(value, SearchSpace):
        return _plain(value.parameters, with_defaults=with_defaults)
    if is_dataclass(value):
        held = [(each, getattr(value, each.name)) for each in fields(value)]
        shown = [(each, one) for each, one in held if one not in (None, ())]
        plain = {
            each.name: _plain(one, with_defaults=with_defaults)
            for each, one in shown
            if with_defaults or _is_given(each, one)
        }
        return {name: one for name, one in plain.items() if with_defaults or one != {}}
    if isinstance(value, Mapping):
        return {str(key): _plain(each, with_defaults=with_defaults) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, with_defaults=with_defaults) for each in value]
    return value


def _is_given(field: Field[object], value: object) -> bool:
    """Whether a setting is not at its first default. A table of settings is judged by what it holds."""
    return is_dataclass(value) or value != field.metadata.get(FIRST_DEFAULT, field.default)


def from_table(table: Table) -> Experiment:
    """An experiment from its settings, without touching the code it names.

    Raises:
        ConfigError: Every problem of the settings themselves.
    """
    return fill(Experiment, table, owner="an experiment")

"""An experiment: one workload searched over a list of batch sizes. Its fields are the keys of its TOML file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Annotated

from annotated_types import MinLen

from tuner.errors import ConfigError, Problem
from tuner.experiment.batch_sizes.budgets import Budget
from tuner.experiment.batch_sizes.spaces import SpaceSettings, read_spaces
from tuner.experiment.components import build
from tuner.experiment.goals import Best, BestValue, Goal, ScoreUnit, StepsToTarget
from tuner.experiment.limits.names import is_name, name_problem
from tuner.experiment.limits.numbers import (
    BATCH_SIZES,
    Count,
    Epochs,
    Examples,
    Few,
    Ideal,
    Level,
    Seed,
    TestSteps,
    do_limits_hold,
)
from tuner.experiment.search_settings import FIRST_DEFAULT, ConfirmationSettings, SearchSettings
from tuner.experiment.settings import Reader, Table, fill, read
from tuner.experiment.space import SearchSpace
from tuner.experiment.step_grids import log_spaced
from tuner.objective import MeasuringPlan, Objective, Target

ALWAYS = "always"


def _read_name(given: object) -> str:
    """A name that can be a file's and part of another name. Raises `ConfigError`."""
    if not (isinstance(given, str) and is_name(given)):
        message = f"must be letters, digits, '.', '_' and '-', as in mnist-cnn.v2, not {given!r}"
        raise ConfigError([Problem("", message)])
    if do_limits_hold() and (wrong := name_problem(given)):
        raise ConfigError([Problem("", wrong)])
    return given


def _read_budget(given: object) -> object:
    """One number of steps, or one for each batch size. Raises `ConfigError`."""
    return read(Mapping[Count, Count] if isinstance(given, Mapping) else Count, given)


def _read_test_steps(given: object) -> object:
    """A number of steps, or the word for all of them. Raises `ConfigError`."""
    if given == ALWAYS:
        return given
    if isinstance(given, str):
        raise ConfigError([Problem("", f'must be a number of steps or "{ALWAYS}", not {given!r}')])
    return read(TestSteps, given)


Levels = Annotated[tuple[Level, ...], Few(20)]


@dataclass(frozen=True, slots=True)
class GoalSettings:
    """What every trial is for: to bring `metric` to a target in few steps, or as far as possible within its budget.

    Attributes:
        within_steps: The budget of a trial: one for all batch sizes, or a table `{ 8 = 4000, 64 = 600 }` of each.
        within_examples, within_epochs: The budget in training examples, or in passes over them, instead.
        below, above: The target; one of the two, or none.
        train_examples: The size of the training set, if the budget is in epochs: written when a file is checked.
        also_below, also_above: Weaker targets. The first step at which each is met is exact, as for the target.
        best: Which value is the best, if there is no target: `"lowest"` or `"highest"`.
        ideal: The value that the metric could have at best; 0 or 1 if None. `inf` if it has no highest value.

    Raises:
        ConfigError: There is no budget.
        ValueError: There are several, or there is not one target or one best value, or a further target is not weaker.
    """

    metric: str
    within_steps: Annotated[int | Mapping[int, int] | None, Reader(_read_budget)] = None
    below: Level | None = None
    above: Level | None = None
    also_below: Levels = ()
    also_above: Levels = ()
    within_examples: Examples | None = None
    within_epochs: Epochs | None = None
    train_examples: Examples | None = None
    best: Best | None = None
    ideal: Ideal | None = None

    def __post_init__(self) -> None:
        _ = self.within  # raises ConfigError and ValueError
        if self.best is not None:
            self._check_best()
            return
        if (self.below is None) == (self.above is None):
            raise ValueError('needs one target: below = 0.03 or above = 0.97; or best = "lowest" without any')
        if self.ideal is not None:
            raise ValueError('ideal goes with best = "lowest" or "highest", and not with a target')
        wrong = "also_above" if self.above is None else "also_below"
        if getattr(self, wrong):
            raise ValueError(f"{wrong} does not go with a target {self.target.phrase}; use {self._also}")
        for each in self.targets[:-1]:
            if not each.is_met(self.target.value):
                raise ValueError(f"{self._also} holds {each.value:g}: no weaker than the target {self.target.phrase}")

    def _check_best(self) -> None:
        """Raise `ValueError` if what goes with a target is given beside `best`, or an ideal that does not fit."""
        assert self.best is not None
        for name in ("below", "above", "also_below", "also_above"):
            if getattr(self, name) not in (None, ()):
                raise ValueError(f'has both {name} and best = "{self.best}"; a goal has a target or a best value')
        _ = self.unit
        if self.ideal == self.best.ideal:  # it says nothing, and is no other setting than the default
            object.__setattr__(self, "ideal", None)

    @property
    def target(self) -> Target:
        """The target itself. Raises `ValueError` if the goal has none."""
        if self.best is not None:
            raise ValueError(f"{self.phrase} has no target")
        return Target(self.above, above=True) if self.below is None else Target(self.below)  # type: ignore[arg-type]

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, the weakest first and the goal's own last; none if the goal is the best value."""
        if self.best is not None:
            return ()
        also = sorted({*self.also_below, *self.also_above}, reverse=self.above is None)
        return (*(Target(each, above=self.target.above) for each in also), self.target)

    @property
    def phrase(self) -> str:
        """What is wanted, for a person: `validation/error below 0.03` or `lowest validation/error`."""
        return self.unit.wanted

    @property
    def unit(self) -> ScoreUnit:
        """What the scores of trials count."""
        if self.best is not None:
            return BestValue(self.metric, self.best, self.best.ideal if self.ideal is None else self.ideal)
        return StepsToTarget(self.metric, self.target)

    def at(self, batch_size: int) -> Goal:
        """The goal of a study. Raises `KeyError` if no budget is given for its batch size."""
        return self.unit.goal(self.within.at(batch_size), batch_size)

    @property
    def within(self) -> Budget:
        """The budget of a trial."""
        return Budget(self.within_steps, self.within_examples, self.within_epochs, self.train_examples)

    @property
    def budget(self) -> str:
        """The budget, for a person: `4,000 steps`, `600 to 4,000 steps` or `100 epochs`."""
        return self.within.phrase

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


@dataclass(frozen=True)
class Experiment:
    """Everything that decides what is measured. Where it runs is not part of an experiment.

    Attributes:
        objective: The workload's table.
        grown_from: The digest of the settings with which the experiment was first stored, if work was added to it
            since. The store writes it; files have no such key.
    """

    name: Annotated[str, Reader(_read_name)]
    batch_sizes: Annotated[tuple[Count, ...], MinLen(1), BATCH_SIZES]
    objective: Mapping[str, object]
    goal: GoalSettings
    space: Annotated[SpaceSettings, Reader(read_spaces)]
    search: SearchSettings = SearchSettings()  # noqa: RUF009 - a frozen value
    confirmation: ConfirmationSettings = ConfirmationSettings()  # noqa: RUF009 - a frozen value
    measuring: MeasuringSettings = MeasuringSettings()
    seed: Seed = 0
    grown_from: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.batch_sizes)) < len(self.batch_sizes):
            raise ValueError("batch_sizes holds the same size twice")
        if isinstance(self.goal.within_steps, Mapping):
            for size in sorted(set(self.batch_sizes) ^ set(self.goal.within_steps)):
                wrong = "has no budget for" if size in self.batch_sizes else "has a budget for the unknown"
                raise ValueError(f"goal.within_steps {wrong} batch size {size}; give one for each of batch_sizes")
        if too_many := next(filter(None, map(self.goal.within.problem, self.batch_sizes)), ""):
            raise ValueError(f"goal: {too_many}")

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

    def points_by(self, round: int, *, second_look: bool = False) -> int:
        """Search points that a study has when this round is over, which may be a second look.

        Where nothing is searched a study has one point, which a round with a larger budget runs again.
        """
        return self.search.points_by(round, second_look=second_look) if self.space.is_searched else round

    def build_objective(self) -> Objective:
        """The workload. Imports the training code, and loads its data when asked for. Raises `ConfigError`."""
        return build("objectives", self.objective, Objective)


def space_table(space: SearchSpace) -> dict[str, object]:
    """The space of a study as plain values: what `read_space` reads."""
    return _plain(space)  # type: ignore[return-value]


def _plain(value: object, *, with_defaults: bool = True) -> object:
    """Dataclasses and mappings as dictionaries of plain values; a space as the table of its parameters.

    None is left out, because TOML has no word for it, and so is an empty tuple.
    """
    if isinstance(value, SearchSpace | SpaceSettings):
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

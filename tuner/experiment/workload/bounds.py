"""What the space lets hyperparameters be, and whether the workload can train that: before anything is trained."""

import math
import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property

from tuner.errors import ConfigError, Problem
from tuner.experiment.definition import Experiment
from tuner.experiment.limits.numbers import ENDLESS
from tuner.experiment.space import Choice, Fixed, Range, SearchSpace, Side
from tuner.objective import Bounds, ChecksBounds, KnowsExactness, Objective
from tuner.tracebacks import users_code
from tuner.trial import Value

NUMBER = re.compile(r"\d[\d.,]*(e[+-]?\d+)?")
JUST_INSIDE = 0.999
"""A range that must not reach where widening would take it may reach so far: momentum must be below 1."""
LEAST_MOVE = 0.01
"""If that moves an end by less than this share of the range, the range stays as it is."""


def bounds_of(space: SearchSpace) -> Bounds:
    """The least and the most of every hyperparameter; NaN if some of its values are no numbers."""
    found = {}
    for name, each in space.parameters.items():
        values = _ends(each)
        are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        numbers = [float(value) for value in values] if are_numbers else [math.nan]
        found[name] = min(numbers), max(numbers)
    return found


def bound_problems(experiment: Experiment, objective: Objective | None) -> list[Problem]:
    """What a workload says against the spaces, batch sizes and budgets of an experiment.

    The same thing is said once. If only its numbers differ, it is said of the first batch size, with the others.
    """
    if not isinstance(objective, ChecksBounds):
        return []
    found: dict[tuple[str, str], dict[str, int]] = {}
    for size in experiment.batch_sizes:
        budget = experiment.goal.at(size).within_steps
        for each in _refused(objective, experiment.space.at(size), batch_size=size, max_steps=budget):
            alike = found.setdefault((each.path, NUMBER.sub("#", each.message)), {})
            alike.setdefault(each.message, size)
    return [Problem(path, _of_all(alike)) for (path, _), alike in found.items()]


def _of_all(alike: Mapping[str, int]) -> str:
    """Messages that differ in their numbers as one, from each with its batch size."""
    first, *others = alike
    sizes = ", ".join(str(alike[each]) for each in others)
    return f"{first} (likewise at batch size {sizes})" if others else first


@dataclass(frozen=True, slots=True)
class Trainable:
    """What the workload can train beyond the space of a study.

    A range says by `natural` where its parameter ends. If it does not, the workload does when the range is widened or
    probed: a side that leads to values it refuses stays where it is. What it has against the space itself does not
    count, as an experiment of an earlier version may have been stored without being asked.
    """

    objective: Objective
    space: SearchSpace
    batch_size: int
    max_steps: int

    def wider(self, space: SearchSpace) -> SearchSpace:
        """A wider space without the sides that lead to values which the workload refuses."""
        found, wider = self.space, dict(space.ranges())
        for name, limits in self.space.ranges():
            for side in Side:
                if limits.end(side) != (end := wider[name].end(side)):
                    found = self._moved(found, name, side, end)
        return found

    def _moved(self, space: SearchSpace, name: str, side: Side, end: float) -> SearchSpace:
        """The space with one end of a range further out, or nearly so far; the space itself if that is refused."""
        own = space.parameters[name]
        assert isinstance(own, Range)
        nearly = float(f"{own.end(side) + JUST_INSIDE * (end - own.end(side)):.12g}")
        moves = abs(own.position(nearly) - own.position(own.end(side))) >= LEAST_MOVE
        for each in (end, nearly) if moves and not own.integer else (end,):
            moved = replace(own, low=each) if side is Side.LOW else replace(own, high=each)
            tried = SearchSpace({**space.parameters, name: moved})
            if self._takes(tried):
                return tried
        return space

    def ends_at(self, name: str, side: Side) -> bool:
        """Whether the workload refuses everything beyond a side, as far as that would be widened."""
        limits = self.space.parameters[name]
        assert isinstance(limits, Range)
        wider = limits.widen(side)
        return wider != limits and self._moved(self.space, name, side, wider.end(side)) == self.space

    def holds(self, point: Mapping[str, Value]) -> bool:
        """Whether the workload can train at a point."""
        return self._takes(SearchSpace({name: Fixed(each) for name, each in point.items()}))

    def _takes(self, space: SearchSpace) -> bool:
        if not isinstance(self.objective, ChecksBounds):
            return True
        before, after = (
            {one.path for one in _refused(self.objective, each, batch_size=self.batch_size, max_steps=self.max_steps)}
            for each in (self.space, space)
        )
        return after <= before


@dataclass(frozen=True)
class StoredWorkload:
    """The workload of a stored experiment, made when it is asked something. Without its code here it takes anything."""

    experiment: Experiment

    def ends_at(self, space: SearchSpace, batch_size: int, name: str, side: Side) -> bool:
        """Whether it cannot train beyond a side of the space of a study. What its code prints goes to the errors."""
        with redirect_stdout(sys.stderr):
            objective = self._objective
            budget = self.experiment.goal.at(batch_size).within_steps
            return objective is not None and Trainable(objective, space, batch_size, budget).ends_at(name, side)

    @property
    def is_exact(self) -> bool:
        """Whether its trials measure the same with every seed; not, if it does not say so."""
        with redirect_stdout(sys.stderr):
            return isinstance(self._objective, KnowsExactness) and self._objective.is_exact

    @property
    def is_endless(self) -> bool:
        """Whether it has no training set, but fresh examples without end."""
        with redirect_stdout(sys.stderr):
            return self._objective is not None and self._objective.train_examples >= ENDLESS

    @cached_property
    def _objective(self) -> Objective | None:
        try:
            return self.experiment.build_objective()
        except ConfigError:
            return None


def _refused(objective: ChecksBounds, space: SearchSpace, *, batch_size: int, max_steps: int) -> tuple[Problem, ...]:
    """What a workload says against a space at one batch size; it may be code of the user's."""
    try:
        with users_code(f"{type(objective).__name__}.check_bounds", path="objective"):
            objective.check_bounds(bounds_of(space), batch_size=batch_size, max_steps=max_steps)
    except ConfigError as error:
        return error.problems
    return ()


def _ends(parameter: Range | Choice | Fixed) -> tuple[Value, ...]:
    """The values that say how far a parameter reaches."""
    match parameter:
        case Range(low, high):
            return low, high
        case Choice(options):
            return options
        case Fixed(value):
            return (value,)

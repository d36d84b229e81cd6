"""Whether a search space can be searched: numbers that can be told apart, and not too many of them."""

import math

from tuner.errors import Problem
from tuner.experiment.limits.names import LETTERS
from tuner.experiment.space import Choice, Parameter, Range, Scale, SearchSpace

PARAMETERS = 100
"""MLflow takes so many parameters of a run at once."""
OPTIONS = 100
"""A sampler learns of each option by itself."""
MOST = 1e30
"""Ranges end here: they may be widened, and the sum and the product of two ends are still numbers."""
MOST_WHOLE = 10**15
"""Whole numbers up to here are exact as floating-point numbers, also in a range that is wider."""
LEAST = 1e-30
"""A range on a log scale begins here at the least."""
NARROW = 1e-6
"""Least width of a range as a part of its values: they are rounded to 12 digits."""
NEAR_ONE = 1e-9
"""A range on a reverse log scale ends at least so far below 1, for the same reason."""


def space_problems(space: SearchSpace) -> list[Problem]:
    """What is wrong with a space that a user gives."""
    problems = []
    if len(space.parameters) > PARAMETERS:
        problems.append(Problem("", f"has {len(space.parameters):,} hyperparameters; at most {PARAMETERS}"))
    for name, each in space.parameters.items():
        if len(name) > LETTERS:
            problems.append(Problem(name, f"is a name of {len(name)} letters; at most {LETTERS}"))
        if wrong := _problem(each):
            problems.append(Problem(name, wrong))
    return problems


def _problem(parameter: Parameter) -> str:
    """What is wrong with one parameter; empty if nothing is."""
    if isinstance(parameter, Range):
        return _range_problem(parameter)
    values = parameter.options if isinstance(parameter, Choice) else (parameter.value,)
    if len(values) > OPTIONS:
        return f"has {len(values):,} options; at most {OPTIONS}"
    if len(set(values)) < len(values):
        return f"options = {list(values)} holds values that are equal to each other, as true is to 1"
    wrong = [each for each in values if isinstance(each, float) and not math.isfinite(each)]
    return f"holds {wrong[0]}, which is no number that can be searched or compared" if wrong else ""


def _range_problem(limits: Range) -> str:
    low, high, most = limits.low, limits.high, MOST_WHOLE if limits.integer else MOST
    ends = f"low = {low!r} and high = {high!r}"
    if max(abs(low), abs(high)) > most:
        return f"{ends} must lie within -{most:g} and {most:g}"
    if limits.scale is Scale.LOG and low < LEAST:
        return f"low = {low:g} must be at least {LEAST:g} on a log scale"
    if limits.scale is Scale.REVERSE_LOG and 1 - high < NEAR_ONE:
        return f"high = {high!r} must be at most 1 - {NEAR_ONE:g} on a reverse_log scale"
    near = max(abs(1 - low), abs(1 - high)) if limits.scale is Scale.REVERSE_LOG else max(abs(low), abs(high))
    if high - low < max(NARROW * near, LEAST):
        return f"{ends} are too close to search between them; use {{ value = ... }} to fix one"
    return ""

"""Which other targets and metrics an experiment may be asked about."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from tuner.analysis.curves.reports import Level
from tuner.experiment import GoalSettings
from tuner.objective import Target

WEAKER = (1 / 6, 1 / 3, 1 / 2)
"""Where weaker targets lie if the file lists none: shares of the way back from the target to the first measurements, on
a logarithmic scale."""
FEW_LISTED = 2
"""From so many weaker targets in the file on, no others are chosen."""
LEAST_WAY = 1.5
"""The first measurements are at least this many times as far from the ideal as the target; else there is no way."""

Lines = Sequence[Sequence[Level]]
"""The values of a metric along several curves."""


def weaker_targets(goal: GoalSettings, firsts: Sequence[float]) -> Iterator[Target]:
    """Weaker targets, the hardest first: those that the file lists, and others if it lists few.

    Args:
        goal: With a target.
        firsts: What the goal's metric is at the first measurement, for each batch size.
    """
    listed = list(goal.targets[-2::-1])
    if len(listed) < FEW_LISTED:
        near = goal.target.distance(goal.target.value)
        way = min(map(goal.target.distance, firsts)) / near
        if way >= LEAST_WAY and math.isfinite(way):
            chosen = (_at_distance(goal.target, float(f"{near * way**share:.2g}")) for share in WEAKER)
            listed += [each for each in chosen if each is not None and each.is_met(goal.target.value)]
    yield from sorted(dict.fromkeys(listed), key=lambda each: goal.target.distance(each.value))


def hardest_target(measured: Lines, *, rises: bool) -> Target | None:
    """The hardest target, to two digits, that every curve of a metric passes; None if that is no positive number."""
    best = [max(each.value for each in own) if rises else min(each.value for each in own) for own in measured]
    hardest = _rounded(min(best), up=False) if rises else _rounded(max(best), up=True)
    return Target(hardest, above=rises) if hardest > 0 and math.isfinite(hardest) else None


def does_rise(metric: str, goal: GoalSettings, measured: Lines) -> bool:
    """Whether a metric is better the higher it is: as the goal's of that kind, or as it changes in training."""
    if metric.split("/")[-1] == goal.metric.split("/")[-1]:
        return goal.target.above
    return median(own[-1].value - own[0].value for own in measured) > 0


def other_metrics(lines: Sequence[Mapping[str, Lines]], metric: str) -> list[str]:
    """The metrics besides this one that every curve of every study measured at least twice."""
    told = [{name for name, own in each.items() if min(map(len, own), default=0) > 1} for each in lines]
    return sorted(set.intersection(*told) - {metric}) if told else []


def _at_distance(target: Target, distance: float) -> Target | None:
    """The target this far from the ideal; None if there is none."""
    if not target.above:
        return Target(distance)
    value = 1 - distance if target.value < 1 else 1 / distance
    return Target(round(value, 12), above=True) if value > 0 else None


def _rounded(value: float, *, up: bool) -> float:
    """A number of two digits just beyond this one."""
    if value <= 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    found = (math.floor(value / unit) + 1 if up else math.ceil(value / unit) - 1) * unit
    return float(f"{found:.3g}")

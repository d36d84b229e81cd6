"""Probes: trials just beyond the sides of a searched space, where the optimum may lie outside.

From trials inside the space, what lies beyond a side can only be extrapolated, and a search that is stuck on a ridge
extrapolates wrongly. A few capped trials beyond the side cost little and settle most cases. They are run where the most
optimistic draws of the response surface expect the fewest steps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.edges.outside import Evidence
from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict, is_natural, sides
from tuner.experiment.space import Range, Side
from tuner.records import CONFIRMATION, PROTOCOL, PointRun, Role, StudyRecord
from tuner.trial import Value

Array = NDArray[np.float64]

DOUBT = (0.002, 0.5)
"""Chances that widening helps from which and up to which a side is probed.

It was 1 in 250 where searches of digits were stuck on a ridge. What is more likely than not is left to the next round,
which looks more closely than a few probes.
"""
CLEAR = 0.1
"""How far beyond a side probes begin, as a share of how far it would be widened."""


def pending_probes(study: StudyRecord, *, per_side: int) -> list[PointRun]:
    """The probes of a searched study that have no result yet; none before it has reached its target.

    What they are depends on what was searched before, so they stay the same while they are run. Their points are
    numbered down from -1: those of the search keep their numbers.
    """
    if per_side == 0 or study.incumbent is None or study.all_trials(*CONFIRMATION):
        return []
    done = {each.plan.point for each in study.finished(*PROTOCOL)}
    searched = replace(study, trials=tuple(each for each in study.trials if each.plan.role is not Role.PROBE))
    first = min((each.plan.point for each in searched.all_trials(*PROTOCOL)), default=0)
    points = enumerate(_points(searched, per_side), start=1 - min(first, 0))
    runs = [PointRun(-number, 0, Role.PROBE, point) for number, point in points]
    return [each for each in runs if each.point not in done]


def _points(study: StudyRecord, per_side: int) -> Iterator[Mapping[str, Value]]:
    """Points beyond every side that is in doubt."""
    evidence, ranges = Evidence.of(study), dict(study.space.ranges())
    for edge in sides(evidence, study.space, evidence.best):
        is_end = edge.verdict is Verdict.STABILITY_LIMIT or is_natural(ranges[edge.parameter], edge.side)
        if DOUBT[0] <= edge.confidence < DOUBT[1] and not is_end:
            yield from _beyond(edge, evidence, ranges, per_side)


def _beyond(
    edge: EdgeVerdict, evidence: Evidence, ranges: Mapping[str, Range], count: int
) -> Iterator[Mapping[str, Value]]:
    """Points beyond one side; none if there is nothing."""
    limits = ranges[edge.parameter]
    wider = limits.widen(edge.side)
    if wider == limits or evidence.fitted is None:
        return
    column, end = evidence.names.index(edge.parameter), 0.0 if edge.side is Side.LOW else 1.0
    furthest = limits.position(wider.end(edge.side))
    nearest = end + CLEAR * (furthest - end)
    part = sorted([nearest, furthest])
    lowest, highest = np.zeros(len(ranges)), np.ones(len(ranges))
    lowest[column], highest[column] = part
    shown = {**ranges, edge.parameter: wider}
    if len(ranges) == 1:  # all hopes are for the same place, where nothing else can be changed
        places = np.linspace(nearest, furthest, count)[:, None]
    else:
        places = evidence.fitted.hopes(lowest, highest, start=evidence.trained[0], count=count)
    for place in places:
        positions = dict(zip(evidence.names, place.tolist(), strict=True))
        values = {name: shown[name].at(_share(limits, shown[name], positions[name])) for name, limits in ranges.items()}
        yield {**evidence.best, **values}


def _share(limits: Range, wider: Range, position: float) -> float:
    """A position in a range as one in a wider range."""
    low, high = limits.position(wider.low), limits.position(wider.high)
    return (position - low) / (high - low)

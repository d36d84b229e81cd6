"""The curves of search trials, and which of them is best for another question than the search's own."""

from collections.abc import Iterator
from dataclasses import dataclass

from tuner.analysis.curves.reports import Level, levels
from tuner.records import Curve, CurvesOf, ExperimentRecord, Role, StudyRecord, TrialRecord, Wanted, some_curves


@dataclass(frozen=True, slots=True)
class Searched:
    """A search trial that neither diverged nor failed, and the values of the goal's metric along its curve."""

    trial: TrialRecord
    values: tuple[Level, ...]


def searches(record: ExperimentRecord, curves: CurvesOf) -> dict[int, tuple[Searched, ...]]:
    """The search trials of each study, by batch size, the smallest first; without those whose curves cannot be read.

    A trial that diverged at any point is infeasible whatever it had come to before (Shallue et al. 2019).
    """
    studies = sorted(record.studies, key=lambda each: each.batch_size)
    return {each.batch_size: tuple(_searched(each, record.experiment.goal.metric, curves)) for each in studies}


def _searched(study: StudyRecord, metric: str, curves: CurvesOf) -> Iterator[Searched]:
    wanted = Wanted(frozenset({Role.SEARCH, Role.PROBE}), frozenset({metric}))
    read: dict[int, dict[int, Curve]] = {}
    for each in study.finished(Role.SEARCH):
        if each.end is None or not each.end.outcome.has_trained:
            continue
        if each.round not in read:
            read[each.round] = dict(some_curves(curves, study.batch_size, each.round, wanted))
        curve = read[each.round].get(each.number)
        if curve is not None:
            yield Searched(each, levels(curve, metric, study.batch_size))

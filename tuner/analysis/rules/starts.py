"""From which batch sizes rules have been run."""

from collections.abc import Mapping, Sequence

from tuner.analysis.rules.costs import RuleCosts, rule_costs
from tuner.analysis.rules.points import Point, tuned
from tuner.errors import TunerError
from tuner.records import ExperimentRecord, Role


def measured_costs(record: ExperimentRecord) -> tuple[RuleCosts, ...]:
    """What the rules came to from every batch size from which they have been run, smallest first."""
    if not any(study.finished(Role.RULE) for study in record.studies):
        return ()
    optima = {each.batch_size: each.optimum.hyperparameters for each in tuned(record)}
    try:
        found = [rule_costs(record, each) for each in optima]
    except TunerError:  # it was given more work since, and is not complete
        return ()
    return _asked(found, optima)


def _asked(found: Sequence[RuleCosts], optima: Mapping[int, Point]) -> tuple[RuleCosts, ...]:
    """Those that somebody has asked for, in the order given.

    Where neighbours have the same optimum, rules lead from both to some of the same points. A start all of whose points
    that have run belong to another start has not been asked for, and says nothing new.
    """
    known: set[tuple[object, ...]] = set()
    kept = []
    points = [
        {
            (one.batch_size, *sorted(one.hyperparameters.items()))
            for _, costs in each.costs
            for one in costs
            if one.per_seed and one.hyperparameters != optima[one.batch_size]
        }
        for each in found
    ]
    for own, each in sorted(zip(points, found, strict=True), key=lambda pair: -len(pair[0])):
        if own - known:
            kept.append(each)
            known |= own
    return tuple(each for each in found if each in kept)

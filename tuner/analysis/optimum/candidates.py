"""Candidates: the points that may be the optimum of a study. They are its own best, and those of its neighbours.

The steps of the best search trial are biased: they are the least of many noisy numbers. Some searches miss the optimum
altogether. The optimum of the next smaller or larger batch size is then often better than all that the search found,
so it is a candidate as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuner.analysis.optimum.race import ranked
from tuner.experiment import ConfirmationSettings
from tuner.records import LearningRateRule, Origin, Role, StudyRecord, TrialRecord, neighbours
from tuner.trial import Outcome, Value

LEADERS = 2
"""How many points a study takes over from each neighbour."""
MOST_BORROWED = 2 * LEADERS
"""How many points a study takes over in all, at most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point that may be a study's optimum.

    Attributes:
        point: Its number in the study. Points of other batch sizes count on from the study's own.
        hyperparameters: The point.
        origin: The trial of another batch size that it was taken from; None for the study's own points.
    """

    point: int
    hyperparameters: Mapping[str, Value]
    origin: Origin | None = None


def steps_of(trial: TrialRecord) -> float:
    """Steps to target, infinite if the trial did not reach it."""
    end = trial.end
    return end.steps if end is not None and end.outcome is Outcome.ACHIEVED else math.inf


def fastest(study: StudyRecord, count: int) -> tuple[TrialRecord, ...]:
    """The search trials with the fewest steps to target; ties go to the earlier trial."""
    achieved = [each for each in study.finished(Role.SEARCH) if steps_of(each) < math.inf]
    return tuple(sorted(achieved, key=lambda each: (steps_of(each), each.round, each.number))[:count])


def own_candidates(study: StudyRecord, settings: ConfirmationSettings) -> tuple[Candidate, ...]:
    """The study's own best points, fewest steps first."""
    return tuple(Candidate(each.plan.point, each.plan.hyperparameters) for each in fastest(study, settings.candidates))


def chosen_steps(study: StudyRecord, role: Role = Role.CHOOSE) -> dict[int, dict[int, float]]:
    """Steps to target of the current round's trials in a role of confirmation: by point, and by repeat."""
    found: dict[int, dict[int, float]] = {}
    for each in study.trials:
        if each.plan.role is role and each.end is not None:
            found.setdefault(each.plan.point, {})[each.plan.repeat] = steps_of(each)
    return found


def leaders(study: StudyRecord, settings: ConfirmationSettings) -> tuple[TrialRecord, ...]:
    """The search trials whose points are ahead after one choosing seed for each, best first; none before that.

    Nothing that happens in the study later changes them, so neighbours that look at different times see the same.
    """
    first = next((each for each in study.rounds if chosen_steps(each)), None)
    if first is None:
        return ()
    steps = {point: repeats[1] for point, repeats in chosen_steps(first).items() if 1 in repeats}
    own = [each for each in fastest(study.until(first.round), settings.candidates) if each.plan.point in steps]
    order = ranked([[steps[each.plan.point]] for each in own])
    return tuple(own[each] for each in order[:LEADERS])


def neighbours_leaders(
    batch_size: int, studies: Sequence[StudyRecord], settings: ConfirmationSettings
) -> dict[int, tuple[TrialRecord, ...]]:
    """The leaders of the neighbouring batch sizes, by batch size."""
    by_size = {each.batch_size: each for each in studies}
    return {size: leaders(by_size[size], settings) for size in neighbours(batch_size, by_size)}


def borrowed(
    study: StudyRecord, found: Mapping[int, Sequence[TrialRecord]], own: Sequence[Candidate]
) -> tuple[Candidate, ...]:
    """The candidates that a study takes over from other batch sizes, smallest batch size first.

    Each has the same number whether or not the other batch sizes have points, so that a study that goes on after an
    interruption knows it again.

    Args:
        study: Whose candidates they are to be.
        found: By batch size, the trials whose points are to be taken over: `LEADERS` at most.
        own: The study's own candidates; a point that is one of these is left out.
    """
    first = 1 + max((each.plan.point for each in study.all_trials(Role.SEARCH)), default=-1)
    known = [each.hyperparameters for each in own]
    taken = []
    for index, (size, trials) in enumerate(sorted(found.items())):
        for number, each in enumerate(trials, start=first + index * LEADERS):
            if each.plan.hyperparameters not in known:
                known.append(each.plan.hyperparameters)
                origin = Origin(size, each.round, each.number, LearningRateRule.SAME)
                taken.append(Candidate(number, each.plan.hyperparameters, origin))
    return tuple(taken)

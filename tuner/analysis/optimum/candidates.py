"""Candidates: the points that may be the optimum of a study. They are its own best, and those of its neighbours.

The score of the best search trial is biased: it is the least of many noisy numbers. Some searches miss the optimum
altogether. The optimum of the next smaller or larger batch size is then often better than all that the search found,
so it is a candidate as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuner.analysis.optimum.race import ranked
from tuner.experiment import ConfirmationSettings
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.records import (
    BORROWED_FROM,
    CONFIRMATION,
    Origin,
    Role,
    StudyRecord,
    TrialRecord,
    neighbours,
)
from tuner.trial import Outcome, Value

LEADERS = 2
"""How many points a study takes over from each neighbour."""
MOST_BORROWED = 2 * LEADERS
"""How many points a study takes over in all, at most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point that may be a study's optimum.

    Attributes:
        point: Its number in the study. Points of other batch sizes count from `BORROWED_FROM`.
        hyperparameters: The point.
        origin: The trial of another batch size that it was taken from; None for the study's own points.
    """

    point: int
    hyperparameters: Mapping[str, Value]
    origin: Origin | None = None


def best_trials(study: StudyRecord, count: int) -> tuple[TrialRecord, ...]:
    """The search trials with the best scores; ties go to the earlier trial."""
    scored = [each for each in study.finished(Role.SEARCH) if each.score < math.inf]
    return tuple(sorted(scored, key=lambda each: (each.score, each.round, each.number))[:count])


def own_candidates(study: StudyRecord, settings: ConfirmationSettings) -> tuple[Candidate, ...]:
    """The study's own best points, best first.

    Where nothing is searched the one point is a candidate even if the search's seed came to no score with it: others
    may.
    """
    best = best_trials(study, settings.candidates) if study.space.dimensions else _only(study)
    return tuple(Candidate(each.plan.point, each.plan.hyperparameters) for each in best)


def _only(study: StudyRecord) -> tuple[TrialRecord, ...]:
    """The last trial of the only point of a study in which nothing is searched, unless its code raised an error."""
    ended = [each for each in study.finished(Role.SEARCH) if each.end is not None]
    return tuple(each for each in ended[-1:] if each.end is not None and each.end.outcome is not Outcome.ERROR)


def confirmed_scores(study: StudyRecord) -> dict[int, dict[int, float]]:
    """Scores of the current round's confirmation trials: by point, and by repeat."""
    found: dict[int, dict[int, float]] = {}
    for each in study.trials:
        if each.plan.role in CONFIRMATION and each.end is not None:
            found.setdefault(each.plan.point, {})[each.plan.repeat] = each.score
    return found


def leaders(study: StudyRecord, settings: ConfirmationSettings) -> tuple[TrialRecord, ...]:
    """The search trials whose points are ahead after one choosing seed for each, best first; none before that.

    Nothing that happens in the study later changes them, so neighbours that look at different times see the same.
    """
    first = next((each for each in study.rounds if confirmed_scores(each)), None)
    if first is None:
        return ()
    scores = {point: repeats[1] for point, repeats in confirmed_scores(first).items() if 1 in repeats}
    own = [each for each in best_trials(study.until(first.round), settings.candidates) if each.plan.point in scores]
    order = ranked([[scores[each.plan.point]] for each in own])
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

    A point that a confirmation trial has run keeps its number. Others have numbers that depend on where
    they come from, so that a study that goes on after an interruption knows them again.

    Args:
        study: Whose candidates they are to be.
        found: By batch size, the trials whose points are to be taken over: `LEADERS` at most.
        own: The study's own candidates; a point that is one of these is left out.
    """
    known = [each.hyperparameters for each in own]
    numbers = {each.plan.point: each.plan.hyperparameters for each in study.all_trials(*CONFIRMATION)}
    taken = []
    for index, (size, trials) in enumerate(sorted(found.items())):
        for wanted, each in enumerate(trials, start=BORROWED_FROM + index * LEADERS):
            point = study.space.with_fixed(each.plan.hyperparameters)
            if point not in known:
                known.append(point)
                number = _number(point, wanted, numbers)
                numbers[number] = point
                taken.append(Candidate(number, point, Origin(size, each.round, each.number, ScalingRule.SAME)))
    return tuple(taken)


def _number(point: Mapping[str, Value], wanted: int, numbers: Mapping[int, Mapping[str, Value]]) -> int:
    """The number that a point has already, or else one that no other point has."""
    for number, known in numbers.items():
        if known == point:
            return number
    while wanted in numbers:
        wanted += MOST_BORROWED
    return wanted

"""Confirmation: candidates are run again on fresh seeds. One set of seeds chooses the winner, another reports it.

The scores that choose the winner among the candidates are biased, as those of the search are. Only seeds that had no
part in either choice report the winner without bias.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median

from tuner.analysis.optimum.candidates import (
    Candidate,
    best_trials,
    borrowed,
    confirmed_scores,
    neighbours_leaders,
    own_candidates,
)
from tuner.analysis.optimum.intervals import MedianInterval, median_interval
from tuner.analysis.optimum.race import heats, ranked
from tuner.experiment import ConfirmationSettings
from tuner.experiment.goals import ScoreUnit
from tuner.records import CONFIRMATION, Origin, PointRun, Role, StudyRecord, TrialRecord, neighbours
from tuner.trial import Value

TEST_ERROR = "test/error"


@dataclass(frozen=True, slots=True)
class SelectionBias:
    """How far the searches of several studies were biased.

    Attributes:
        ratio: Confirmed over searched scores, the geometric mean over studies.
        studies: How many it is over.
        unreached: How many more were confirmed with an infinite median, and are in no mean.
    """

    ratio: float
    studies: int
    unreached: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A study's winner, as seeds report it that had no part in choosing it.

    Attributes:
        round, trial: Round and number of the study's trial that ran the point first: the search trial that found it or,
            for a point of another batch size, the first that ran it here.
        point: The point's number.
        hyperparameters: The point.
        origin: The trial of another batch size that the point was taken from; None if the study's own search found it.
        searched: The best score of the search (`TrialEnd.score`), by this point or another; None if it has none.
        score: The median score of the report seeds; infinite if half of them have none.
        per_seed: The score of each report seed, infinite if it has none.
        metrics: Median of each metric at the end of the report seeds that have a score; empty if none has one.
    """

    round: int
    trial: int
    point: int
    hyperparameters: Mapping[str, Value]
    origin: Origin | None
    searched: float | None
    score: float
    per_seed: tuple[float, ...]
    metrics: Mapping[str, float]

    @property
    def low(self) -> float:
        """The score of the best report seed."""
        return min(self.per_seed)

    @property
    def high(self) -> float:
        """The score of the worst report seed, infinite if one has none."""
        return max(self.per_seed)

    @property
    def seeds(self) -> int:
        """How many seeds report."""
        return len(self.per_seed)

    @property
    def reached(self) -> int:
        """How many of them have a score: those that reached the target, or that finished."""
        return sum(map(math.isfinite, self.per_seed))

    @property
    def interval(self) -> MedianInterval:
        """An interval for the median over all training seeds at this point, from the report seeds."""
        return median_interval(self.per_seed)

    @property
    def selection_bias(self) -> float | None:
        """Confirmed score / searched score: how much better than it is the best search trial looked."""
        return None if self.searched is None else self.score / self.searched

    def to_json(self, unit: ScoreUnit) -> dict[str, object]:
        """What `confirmed` holds; null stands for an infinite number."""
        origin, interval = self.origin, self.interval
        (low, high), ends = unit.ends(self.low, self.high), unit.ends(interval.low, interval.high)
        return {
            "round": self.round,
            "trial": self.trial,
            "from": None if origin is None else origin.to_json(),
            unit.key: _number(unit.value(self.score)),
            "low": _number(low),
            "high": _number(high),
            "interval": {"low": _number(ends[0]), "high": _number(ends[1]), "coverage": interval.coverage},
            "selection_bias": None if self.selection_bias is None else _number(self.selection_bias),
            "seeds": self.seeds,
            "reached": self.reached,
            "params": dict(self.hyperparameters),
            "test_error": self.metrics.get(TEST_ERROR),
        }


def selection_bias(found: Iterable[Confirmation]) -> SelectionBias | None:
    """The bias of several studies' searches; None if no median is finite."""
    ratios = [each.selection_bias for each in found if each.selection_bias is not None]
    finite = [each for each in ratios if math.isfinite(each)]
    return SelectionBias(geometric_mean(finite), len(finite), len(ratios) - len(finite)) if finite else None


def candidates(
    study: StudyRecord, studies: Sequence[StudyRecord], settings: ConfirmationSettings
) -> tuple[Candidate, ...]:
    """The points from which a searched study chooses its winner: its own best, and the leading ones of its neighbours.

    When a study is looked at again, its last winner and the neighbours' winners are candidates.

    Args:
        study: As it stands.
        studies: Those of the experiment; only the neighbours among them are looked at.
        settings: How many, and whether from neighbours.
    """
    own = own_candidates(study, settings)
    if not settings.neighbours:
        return own
    if not study.is_second_look:
        return own + borrowed(study, neighbours_leaders(study.batch_size, studies, settings), own)
    last = confirm(study.first_look, settings)
    if last is not None and last.point not in [each.point for each in own]:
        own = (*own, Candidate(last.point, last.hyperparameters, last.origin))
    return own + borrowed(study, neighbours_winners(study.batch_size, studies, settings), own)


def neighbours_winners(
    batch_size: int, studies: Sequence[StudyRecord], settings: ConfirmationSettings
) -> dict[int, tuple[TrialRecord, ...]]:
    """The trials that first ran the winners of the neighbouring batch sizes, before these were looked at again."""
    by_size = {each.batch_size: each.first_look for each in studies}
    found = {size: confirm(by_size[size], settings) for size in neighbours(batch_size, by_size)}
    return {size: (by_size[size].trial(each.round, each.trial),) for size, each in found.items() if each is not None}


def first_runs(study: StudyRecord, settings: ConfirmationSettings) -> list[PointRun]:
    """What is still to be run before neighbours may look: each of the study's own candidates on its first seed.

    Nothing, where nothing is searched: the neighbours have their own point.
    """
    if not study.space.dimensions:
        return []
    return _missing(own_candidates(study, settings), range(1, 2), Role.CHOOSE, study)


def pending(study: StudyRecord, racers: Sequence[Candidate], settings: ConfirmationSettings) -> list[PointRun]:
    """What is still to be run, given the candidates: run it and ask again, until nothing is pending.

    First the missing seeds of each heat of the race (`ConfirmationSettings.choosing`). When all of them have a result,
    the winner's reporting seeds. A trial that runs or failed has no result, so it is pending. A point that has no score
    with any seed of its is not reported, unless a trial of the search has one, or nothing was searched.
    """
    scores, left = confirmed_scores(study), list(racers)
    for many, seeds in heats(len(racers), settings.choose_seeds):
        left = left[:many]
        if missing := _missing(left, range(1, seeds + 1), Role.CHOOSE, study):
            return missing
        order = ranked([[scores[each.point][repeat] for repeat in range(1, seeds + 1)] for each in left])
        left = [left[each] for each in order]
    has_score = (
        not study.space.dimensions
        or study.incumbent is not None
        or any(math.isfinite(each) for one in left[:1] for each in scores.get(one.point, {}).values())
    )
    return _missing(left[:1], settings.reporting, Role.REPORT, study) if has_score else []


def confirm(study: StudyRecord, settings: ConfirmationSettings) -> Confirmation | None:
    """The winner and what its seeds report, or None if there is none yet.

    While a study is looked at again, its last winner stands.
    """
    found = _winner(study, settings)
    return None if found is None else _confirmation(*found, settings)


def reports(study: StudyRecord, settings: ConfirmationSettings) -> tuple[TrialRecord, ...]:
    """The trials that report the winner, one for each seed, as `confirm` counts them; none before there is a winner."""
    found = _winner(study, settings)
    return () if found is None else _reports(*found, settings)


def _winner(study: StudyRecord, settings: ConfirmationSettings) -> tuple[StudyRecord, int] | None:
    """The study as it was when its winner was reported, and the winner's number."""
    for each in (study, study.first_look):
        scores = confirmed_scores(each)
        reported = [point for point, repeats in scores.items() if all(one in repeats for one in settings.reporting)]
        if reported:
            return each, _ahead(reported, scores, settings)
    return None


def _reports(study: StudyRecord, winner: int, settings: ConfirmationSettings) -> tuple[TrialRecord, ...]:
    """The trials of a point on the reporting seeds, in this round."""
    of_point = [each for each in study.trials if each.plan.point == winner and each.plan.repeat in settings.reporting]
    ended = [each for each in of_point if each.end is not None and each.plan.role in CONFIRMATION]
    return tuple(sorted(ended, key=lambda each: each.plan.repeat))


def _ahead(reported: Sequence[int], scores: Mapping[int, Mapping[int, float]], settings: ConfirmationSettings) -> int:
    """The winner. There are several reported points if the experiment was given more work after the first was reported.

    The seeds that chose say which is ahead; a point that was reported without a race is behind those that won one.
    """
    raced = [point for point in reported if all(each in scores[point] for each in settings.choosing)]
    if not raced:
        return reported[-1]
    return raced[ranked([[scores[point][each] for each in settings.choosing] for point in raced])[0]]


def optimum(study: StudyRecord, settings: ConfirmationSettings) -> Mapping[str, Value] | None:
    """The winner's hyperparameters, or those of the search's best before there is one; None if none has a score."""
    confirmed = confirm(study, settings)
    if confirmed is not None:
        return confirmed.hyperparameters
    return next((each.plan.hyperparameters for each in best_trials(study, 1)), None)


def _confirmation(study: StudyRecord, winner: int, settings: ConfirmationSettings) -> Confirmation:
    """What the report seeds of a point say."""
    of_point = [each for each in study.finished(*Role) if each.plan.point == winner]
    reporting = _reports(study, winner, settings)
    first, per_seed = of_point[0], tuple(each.score for each in reporting)
    return Confirmation(
        round=first.round,
        trial=first.number,
        point=winner,
        hyperparameters=first.plan.hyperparameters,
        origin=reporting[0].plan.origin,
        searched=study.incumbent,
        score=median(per_seed),
        per_seed=per_seed,
        metrics=_medians([each for each in reporting if each.score < math.inf]),
    )


def _missing(racers: Sequence[Candidate], repeats: range, role: Role, study: StudyRecord) -> list[PointRun]:
    """The repeats of candidates that have no result yet. Repeat 0 is the search's own seed."""
    done = confirmed_scores(study)
    return [
        PointRun(each.point, repeat, role, each.hyperparameters, each.origin)
        for each in racers
        for repeat in repeats
        if repeat not in done.get(each.point, {})
    ]


def _number(value: float) -> float | None:
    """A number as JSON has it: a whole one as such, none for an infinite one."""
    if math.isinf(value):
        return None
    return int(value) if value == int(value) else value


def _medians(trials: Sequence[TrialRecord]) -> dict[str, float]:
    """The median of each final metric."""
    finals = [each.end.final for each in trials if each.end is not None]
    names = set.intersection(*(set(each) for each in finals)) if finals else set()
    return {name: median(each[name] for each in finals) for name in sorted(names)}

"""Confirmation: the best points of a search, run again on fresh seeds. One set chooses the winner, another reports it.

The steps of the best search trial are biased: they are the least of many noisy numbers. The steps that choose the
winner among the candidates are biased too. Only seeds that had no part in either choice report the winner without bias.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import geometric_mean, median

from tuner.experiment import ConfirmationSettings
from tuner.records import PointRun, Role, StudyRecord, TrialRecord
from tuner.trial import Outcome, Value

CHOICE_SLACK = 8.0
"""A choosing trial is cut at so many times the search's fewest steps: its candidate is not the one to choose, and it
would be trained to the end of its budget, often for longer than the whole search. Reporting trials are never cut."""
CONFIDENCE = 0.95
"""What the coverage of a median's interval should come near."""


@dataclass(frozen=True, slots=True)
class MedianInterval:
    """An interval between two order statistics, which leaves out as many values at either end.

    Attributes:
        low, high: Where it ends; infinite if so many seeds did not reach the target.
        coverage: How probable it is that such an interval holds the median over all seeds, whatever their distribution;
            more if seeds can take the same number of steps.
    """

    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True)
class SelectionBias:
    """How far the searches of several studies were biased.

    Attributes:
        ratio: Confirmed over searched steps, the geometric mean over studies.
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
        round, trial: Round and number of the search trial that found the point.
        point: The point's number.
        hyperparameters: The point.
        searched: The fewest steps to target of the search, by this point or another.
        steps: Median steps to target over the report seeds; infinite if half of them did not reach it.
        per_seed: Steps to target of each report seed, infinite if it did not reach it.
        metrics: Median of each metric at the target, over the report seeds that reached it; empty if none did.
    """

    round: int
    trial: int
    point: int
    hyperparameters: Mapping[str, Value]
    searched: int
    steps: float
    per_seed: tuple[float, ...]
    metrics: Mapping[str, float]

    @property
    def low(self) -> float:
        """Steps of the fastest report seed."""
        return min(self.per_seed)

    @property
    def high(self) -> float:
        """Steps of the slowest report seed, infinite if one did not reach the target."""
        return max(self.per_seed)

    @property
    def seeds(self) -> int:
        """How many seeds report."""
        return len(self.per_seed)

    @property
    def reached(self) -> int:
        """How many of them reached the target."""
        return sum(map(math.isfinite, self.per_seed))

    @property
    def interval(self) -> MedianInterval:
        """An interval for the median over all seeds, from the report seeds."""
        return median_interval(self.per_seed)

    @property
    def selection_bias(self) -> float:
        """Confirmed steps / searched steps: how much better than it is the best search trial looked."""
        return self.steps / self.searched


def median_interval(values: Sequence[float]) -> MedianInterval:
    """The interval between order statistics whose coverage of the median is nearest 95 % (David and Nagaraja 2003).

    The `k`-th least of `n` values is above the median if fewer than `k` are below it, so the interval that leaves out
    `k - 1` at each end covers with probability `1 - 2 P(Binomial(n, 1/2) < k)`. With five values, from the least to the
    greatest: 94 %; one value covers nothing.

    Raises:
        ValueError: There is no value.

    >>> median_interval([40, 50, 44, 55, 47])
    MedianInterval(low=40, high=55, coverage=0.9375)
    """
    if not values:
        raise ValueError("an interval needs at least one value")
    ordered = sorted(values)
    below = accumulate(math.comb(len(ordered), left_out) for left_out in range((len(ordered) + 1) // 2))
    coverages = [1 - 2 * each / 2 ** len(ordered) for each in below]
    left_out = min(range(len(coverages)), key=lambda each: abs(coverages[each] - CONFIDENCE))
    return MedianInterval(ordered[left_out], ordered[-1 - left_out], coverages[left_out])


def selection_bias(found: Iterable[Confirmation]) -> SelectionBias | None:
    """The bias of several studies' searches; None if no median is finite."""
    ratios = [each.selection_bias for each in found]
    finite = [each for each in ratios if math.isfinite(each)]
    return SelectionBias(geometric_mean(finite), len(finite), len(ratios) - len(finite)) if finite else None


def candidates(study: StudyRecord, count: int) -> tuple[TrialRecord, ...]:
    """The search trials with the fewest steps to target; ties go to the earlier trial."""
    achieved = [each for each in study.finished(Role.SEARCH) if _steps(each) < math.inf]
    return tuple(sorted(achieved, key=lambda each: (_steps(each), each.round, each.number))[:count])


def pending(study: StudyRecord, settings: ConfirmationSettings) -> list[PointRun]:
    """What is still to be run, given a finished search: run it and ask again, until nothing is pending.

    First every candidate's choosing seeds, repeats 1 to `choose_seeds`; when all have a result, the winner's reporting
    seeds, the `report_seeds` repeats after those. A trial that runs or failed has no result, so it is pending.
    """
    best = candidates(study, settings.candidates)
    choosing = [run for each in best for run in _missing(study, each, Role.CHOOSE, settings)]
    if choosing or not best:
        return choosing
    return _missing(study, _winner(study, best), Role.REPORT, settings)


def confirm(study: StudyRecord, settings: ConfirmationSettings) -> Confirmation | None:
    """The winner and what its seeds report, or None if no search trial achieved or trials are still pending."""
    best = candidates(study, settings.candidates)
    if not best or pending(study, settings):
        return None
    winner = _winner(study, best)
    reports = _repeats(study, winner, Role.REPORT)
    per_seed = tuple(_steps(each) for each in reports)
    return Confirmation(
        round=winner.round,
        trial=winner.number,
        point=winner.plan.point,
        hyperparameters=winner.plan.hyperparameters,
        searched=int(_steps(best[0])),
        steps=median(per_seed),
        per_seed=per_seed,
        metrics=_medians([each for each in reports if _steps(each) < math.inf]),
    )


def optimum(study: StudyRecord, settings: ConfirmationSettings) -> Mapping[str, Value] | None:
    """The winner's hyperparameters, or those of the search's best before there is one; None if nothing reached it."""
    confirmed = confirm(study, settings)
    if confirmed is not None:
        return confirmed.hyperparameters
    return next((each.plan.hyperparameters for each in candidates(study, 1)), None)


def _winner(study: StudyRecord, best: Sequence[TrialRecord]) -> TrialRecord:
    """The candidate with the lowest median over its choosing seeds, then the lowest mean rank among all of theirs.

    The ranks decide between candidates whose medians are infinite: more seeds that reached the target rank better.
    `best` is in order of search steps, and `min` keeps the first of equals.
    """
    steps = [[_steps(each) for each in _repeats(study, candidate, Role.CHOOSE)] for candidate in best]
    ordered = sorted(each for row in steps for each in row)
    ranks = {each: bisect_left(ordered, each) + bisect_right(ordered, each) for each in ordered}  # twice the mean rank
    mean_ranks = [sum(ranks[each] for each in row) / len(row) for row in steps]
    index = min(range(len(best)), key=lambda each: (median(steps[each]), mean_ranks[each]))
    return best[index]


def _missing(study: StudyRecord, candidate: TrialRecord, role: Role, settings: ConfirmationSettings) -> list[PointRun]:
    """The repeats of a candidate that have no result yet. Repeat 0 is the search's own seed."""
    last_choosing = settings.choose_seeds
    choosing = range(1, last_choosing + 1)
    reporting = range(last_choosing + 1, last_choosing + 1 + settings.report_seeds)
    done = {each.plan.repeat for each in _repeats(study, candidate, role)}
    return [
        PointRun(candidate.plan.point, repeat, role, candidate.plan.hyperparameters)
        for repeat in (choosing if role is Role.CHOOSE else reporting)
        if repeat not in done
    ]


def _repeats(study: StudyRecord, candidate: TrialRecord, role: Role) -> list[TrialRecord]:
    """A point's results in a role, by repeat."""
    found = [each for each in study.finished(role) if each.plan.point == candidate.plan.point]
    return sorted(found, key=lambda each: each.plan.repeat)


def _steps(trial: TrialRecord) -> float:
    """Steps to target, infinite if the trial did not reach it."""
    end = trial.end
    return end.steps if end is not None and end.outcome is Outcome.ACHIEVED else math.inf


def _medians(trials: Sequence[TrialRecord]) -> dict[str, float]:
    """The median of each final metric."""
    finals = [each.end.final for each in trials if each.end is not None]
    names = set.intersection(*(set(each) for each in finals)) if finals else set()
    return {name: median(each[name] for each in finals) for name in sorted(names)}

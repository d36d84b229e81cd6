"""What share of a search space reaches the target, comes close to the best, or diverges.

The shares are estimated from the quasi-random and random points only, because these are even over the space. Points
that a model proposed crowd where the model expects good results. Wilson's intervals assume random points. Quasi-random
points are more even, and so the true intervals are a little narrower.

A trial that was cut at its cap has not shown whether it would have reached the target or diverged. The trial is counted
both ways, and the interval covers both. If its cap was high enough, the trial has shown that it is not near the best.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.words import percent
from tuner.experiment.sequences import is_from_sequence
from tuner.records import Role, StudyRecord, TrialEnd
from tuner.trial import Outcome, sampler_seed

NEAR = 2.0
"""A point is near the best trial if its score is at most this many times as high."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a space, estimated from points that are even over the space.

    Attributes:
        certain: How many of the points are known to be in it.
        possible: How many are known or may be.
        points: How many there are.
    """

    certain: int
    possible: int
    points: int

    @property
    def least(self) -> float:
        """The share if no undecided point is in it; 0 without points."""
        return self.certain / self.points if self.points else 0.0

    @property
    def most(self) -> float:
        """The share if every undecided point is in it; 1 without points."""
        return self.possible / self.points if self.points else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """From the lower end of the interval for `least` to the upper end of that for `most`."""
        return wilson(self.certain, self.points)[0], wilson(self.possible, self.points)[1]

    @property
    def phrase(self) -> str:
        """That interval, for a person; `-` without points."""
        low, high = self.interval
        return f"{percent(low)} to {percent(high)}" if self.points else "-"


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of a study's space.

    Attributes:
        reaching: Reaches the target within the budget, or trains for all of it: has a score.
        near: Has a score of at most `NEAR` times that of the search's best trial; None if no trial has one.
        diverging: Diverges within the budget.
        cut: How many of the points were cut at a cap before they had done either.
    """

    reaching: Share
    near: Share | None
    diverging: Share
    cut: int

    @property
    def points(self) -> int:
        """How many points the shares are estimated from."""
        return self.reaching.points


def shares(study: StudyRecord, *, experiment_seed: int, budget: int, counts_steps: bool = True) -> Shares:
    """The shares of a study's space.

    Args:
        study: With search trials. Its first round says it, of the space it began in: points of later rounds only cover
            what widening added.
        experiment_seed: Tells which points no result has led to.
        budget: Steps after which a trial that is not at the target has missed it for certain.
        counts_steps: Whether scores are steps, so that a trial that was cut has a higher score than its steps.
    """
    first = study.rounds[0]
    seed = sampler_seed(experiment_seed=experiment_seed, batch_size=first.batch_size, round=first.round)
    ends = [
        each.end
        for each in first.finished(Role.SEARCH)
        if each.end is not None
        and each.plan.origin is None  # of few options one may be this number's by chance
        and is_from_sequence(first.space, each.plan.point, each.plan.hyperparameters, seed=seed)
    ]
    near = [NEAR * each.score for each in best_trials(study, 1)]
    return Shares(
        reaching=_share(ends, [math.isfinite(each.score) for each in ends], within=budget),
        near=_share(ends, [each.score <= near[0] for each in ends], within=near[0] if counts_steps else budget)
        if near
        else None,
        diverging=_share(
            ends, [each.outcome is Outcome.INFEASIBLE and each.steps <= budget for each in ends], within=budget
        ),
        cut=sum(_is_undecided(each, budget) for each in ends),
    )


def wilson(count: int, points: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's interval for a share of which `count` of so many points were (Wilson 1927; Brown et al. 2001).

    >>> [round(each, 3) for each in wilson(5, 20)]
    [0.112, 0.469]
    """
    if points == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrunk = count / points, 1 + z**2 / points
    centre = (share + z**2 / (2 * points)) / shrunk
    half = z * math.sqrt(share * (1 - share) / points + z**2 / (4 * points**2)) / shrunk
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _share(ends: Sequence[TrialEnd], is_in: Sequence[bool], *, within: float) -> Share:
    """The share of trials that are in something; one that was cut within so many steps may be."""
    certain = sum(is_in)
    return Share(certain, certain + sum(_is_undecided(each, within) for each in ends), len(ends))


def _is_undecided(end: TrialEnd, within: float) -> bool:
    """Whether a trial was cut before it could show what it does within some steps."""
    return end.outcome is Outcome.CENSORED and end.steps < within

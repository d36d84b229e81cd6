"""The race that chooses the winner among candidates: few seeds for all of them, more for those that stay.

Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): every candidate runs on one fresh seed, the better
half on another, the better half of these on two more, and so on. Candidates are compared by ranks, because a trial that
did not reach the target or diverged has no score, and because one unlucky seed may take many times the steps.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import fmean, median


def heats(many: int, seeds: int) -> tuple[tuple[int, int], ...]:
    """How many candidates are left in each heat, and how many seeds each has had at its end.

    >>> heats(10, 4)
    ((10, 1), (5, 2), (3, 4))

    Args:
        many: Candidates at the start. One candidate needs no race.
        seeds: Most seeds for a candidate.
    """
    found: list[tuple[int, int]] = []
    each = 1
    while many > 1 and (not found or each > found[-1][1]):
        found.append((many, each))
        many, each = (many + 1) // 2, min(2 * each, seeds)
    return tuple(found)


def choosing_runs(many: int, seeds: int) -> int:
    """Trials of a whole race.

    >>> choosing_runs(10, 4)
    21
    """
    before = 0
    runs = 0
    for racers, each in heats(many, seeds):
        runs += racers * (each - before)
        before = each
    return runs


def ranked(scores: Sequence[Sequence[float]]) -> list[int]:
    """The candidates' indices, best first, by the mean rank of their seeds among those of all; then by the median.

    Of equals the earlier stays first.

    Args:
        scores: Scores of each candidate's seeds, infinite for one that has none.
    """
    ordered = sorted(each for row in scores for each in row)
    ranks = {each: bisect_left(ordered, each) + bisect_right(ordered, each) for each in ordered}  # twice the mean rank
    means = [fmean(ranks[each] for each in row) for row in scores]
    medians = [median(row) if row else math.inf for row in scores]
    return sorted(range(len(scores)), key=lambda each: (means[each], medians[each]))

"""Low-discrepancy points of a search space: even at any number of points, and each known by its number alone."""

from copy import copy
from functools import lru_cache
from itertools import islice

from scipy.stats import qmc

from tuner.space import SearchSpace
from tuner.trial import Value


def halton_point(space: SearchSpace, number: int, *, seed: int) -> dict[str, Value]:
    """Point `number` of a scrambled Halton sequence (Owen 2017, arXiv 1706.02808), on each parameter's own scale."""
    sequence = copy(_sequence(space.dimensions, seed))  # which counts how far it has been used
    return space.at(sequence.fast_forward(number).random(1)[0].tolist())


def halton_points_outside(inner: SearchSpace, space: SearchSpace, points: int, *, seed: int) -> list[dict[str, Value]]:
    """The first points of that sequence in `space` that lie outside `inner`: the part that widening has added.

    Fewer than asked for if that part is too small to be met in a thousand tries.
    """
    tries = (halton_point(space, number, seed=seed) for number in range(1000))
    return list(islice((each for each in tries if each not in inner), points))


@lru_cache(maxsize=64)
def _sequence(dimensions: int, seed: int) -> qmc.Halton:
    """A sequence at its beginning: scrambling takes ten times as long as a point."""
    return qmc.Halton(dimensions, scramble=True, rng=seed)

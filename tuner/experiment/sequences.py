"""Points of a search space that follow from a seed and a number alone, whatever was measured before.

Every search begins with such points, and the quasi-random and random samplers use no other points. Their share that
trains, or that diverges, is therefore an unbiased estimate for the whole space.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tuner.experiment.space import Range, SearchSpace
from tuner.trial import Value, hash_seed

Array = NDArray[np.float64]

BLOCK = 256
"""Points of a sequence that are computed at once."""
SAME = 1e-9
"""Positions this close are the same: Optuna keeps `1 - value` on a reverse log scale."""


def halton(start: int, count: int, dimensions: int, *, seed: int) -> Array:
    """`count` points of a Halton sequence with scrambled digits (Owen 2017, arXiv 1706.02808), from number `start` on.

    Returns:
        Positions between 0 and 1, [point, dimension].
    """
    if dimensions == 0 or count == 0:
        return np.empty((count, dimensions))
    first, last = start // BLOCK, (start + count - 1) // BLOCK
    blocks = [_block(number, dimensions, seed) for number in range(first, last + 1)]
    return np.concatenate(blocks)[start - first * BLOCK :][:count]


@lru_cache(maxsize=256)
def _block(number: int, dimensions: int, seed: int) -> Array:
    """`BLOCK` points of a Halton sequence. Points are asked for one by one, and each alone costs as much as a block."""
    from scipy.stats import qmc  # takes a second to import

    return np.asarray(qmc.Halton(dimensions, rng=seed).fast_forward(number * BLOCK).random(BLOCK))


def halton_point(space: SearchSpace, number: int, *, seed: int) -> dict[str, Value]:
    """Point `number` of a Halton sequence, on each parameter's own scale."""
    (position,) = halton(number, 1, space.dimensions, seed=seed).tolist()
    return space.at(position)


def halton_points_outside(inner: SearchSpace, space: SearchSpace, points: int, *, seed: int) -> list[dict[str, Value]]:
    """The first points of a Halton sequence in `space` that lie outside `inner`: the part that widening has added.

    The list is shorter than asked for if a thousand points of the sequence hold too few.
    """
    tries = (space.at(each) for each in halton(0, 1000, space.dimensions, seed=seed).tolist())
    return list(islice((each for each in tries if each not in inner), points))


def random_point(space: SearchSpace, number: int, *, seed: int) -> dict[str, Value]:
    """Point `number` of independent uniform points, on each parameter's own scale."""
    generator = np.random.default_rng(hash_seed(seed, number))
    return space.at(generator.random(space.dimensions).tolist())


def is_from_sequence(space: SearchSpace, number: int, point: Mapping[str, Value], *, seed: int) -> bool:
    """Whether a study's point is the quasi-random or the random point with its number: no result has led to it.

    The point itself is compared. How many such points a search begins with depends on its sampler, on how many points
    are in flight and on interruptions.

    >>> from tuner.experiment.space import Range
    >>> line = SearchSpace({"x": Range(0.0, 1.0)})
    >>> is_from_sequence(line, 7, halton_point(line, 7, seed=3), seed=3)
    True
    >>> is_from_sequence(line, 7, {"x": 0.5}, seed=3)
    False
    """
    if space.dimensions == 0:
        return True
    return any(_is_same(space, point, draw(space, number, seed=seed)) for draw in (halton_point, random_point))


def _is_same(space: SearchSpace, point: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    return all(
        abs(each.position(float(point[name])) - each.position(float(other[name]))) < SAME
        if isinstance(each, Range)
        else point[name] == other[name]
        for name, each in space.parameters.items()
    )

"""Low-discrepancy points of a search space: even at any number of points, and each known by its number alone."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from tuner.space import SearchSpace
from tuner.trial import Value

Array = NDArray[np.float64]
Permutations = NDArray[np.int64]
"""What becomes of each digit at each place, [place, digit]."""

BITS = 54
"""Digits that a number of double precision can tell from none."""


def halton(numbers: Sequence[int], dimensions: int, *, seed: int) -> Array:
    """Points of a Halton sequence with scrambled digits (Owen 2017, arXiv 1706.02808), [number, dimension], 0 to 1.

    The very numbers of `scipy.stats.qmc.Halton(dimensions, rng=seed)`, whose import takes half a second.
    """
    places = [_mirrored(np.asarray(numbers), each) for each in _scrambling(dimensions, seed)]
    return np.column_stack(places) if places else np.empty((len(numbers), 0))


def halton_point(space: SearchSpace, number: int, *, seed: int) -> dict[str, Value]:
    """Point `number` of such a sequence, on each parameter's own scale."""
    (position,) = halton([number], space.dimensions, seed=seed).tolist()
    return space.at(position)


def halton_points_outside(inner: SearchSpace, space: SearchSpace, points: int, *, seed: int) -> list[dict[str, Value]]:
    """The first points of that sequence in `space` that lie outside `inner`: the part that widening has added.

    Fewer than asked for if that part is too small to be met in a thousand tries.
    """
    tries = (halton_point(space, number, seed=seed) for number in range(1000))
    return list(islice((each for each in tries if each not in inner), points))


def _mirrored(numbers: NDArray[np.int64], permutations: Permutations) -> Array:
    """Each number with its digits permuted and mirrored at the point, so that the last one counts most."""
    places, base = permutations.shape
    digits = numbers // base ** np.arange(places)[:, None] % base  # [place, number]
    worth = np.divide.accumulate(np.array([1.0, *[base] * places]))[1:, None]
    terms = permutations[np.arange(places)[:, None], digits] * worth
    return np.asarray(np.add.accumulate(terms)[-1])


@lru_cache(maxsize=64)
def _scrambling(dimensions: int, seed: int) -> tuple[Permutations, ...]:
    """The permutations of each dimension's digits, whose base is a prime of its own."""
    (generator,) = np.random.default_rng(seed).spawn(1)  # as scipy does
    primes = (each for each in count(2) if all(each % below for below in range(2, math.isqrt(each) + 1)))
    return tuple(_permutations(base, generator) for base in islice(primes, dimensions))


def _permutations(base: int, generator: np.random.Generator) -> Permutations:
    """A permutation of the digits for every place that counts."""
    permutations = np.tile(np.arange(base), (math.ceil(BITS / math.log2(base)) - 1, 1))
    for each in permutations:
        generator.shuffle(each)
    return permutations

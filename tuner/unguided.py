"""Points that no result has led to: even over the space, so that what share of them does something says of the space.

Every search begins with such points, and some samplers know no others. They are recognised by what they are, not by
how many there should be: that depends on the sampler, on how many points are in flight and on interruptions.
"""

from collections.abc import Mapping

import numpy as np

from tuner.halton import halton_point
from tuner.space import Range, SearchSpace
from tuner.trial import Value, hash_seed

SAME = 1e-9
"""Positions this close are the same: Optuna keeps `1 - value` on a reverse log scale."""


def random_point(space: SearchSpace, number: int, *, seed: int) -> dict[str, Value]:
    """Point `number` of independent uniform ones, on each parameter's own scale."""
    generator = np.random.default_rng(hash_seed(seed, number))
    return space.at(generator.random(space.dimensions).tolist())


def is_unguided(space: SearchSpace, number: int, point: Mapping[str, Value], *, seed: int) -> bool:
    """Whether a study's point is the one that a quasi-random or a random search asks for at its number.

    >>> from tuner.space import Range
    >>> line = SearchSpace({"x": Range(0.0, 1.0)})
    >>> is_unguided(line, 7, halton_point(line, 7, seed=3), seed=3), is_unguided(line, 7, {"x": 0.5}, seed=3)
    (True, False)
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

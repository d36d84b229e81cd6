"""Low-discrepancy points of a search space: even at any number of points, and each known by its number alone."""

from scipy.stats import qmc

from tuner.space import SearchSpace
from tuner.trial import Value


def halton_point(space: SearchSpace, number: int, *, seed: int) -> dict[str, Value]:
    """Point `number` of a scrambled Halton sequence (Owen 2017, arXiv 1706.02808), on each parameter's own scale."""
    sequence = qmc.Halton(space.dimensions, scramble=True, rng=seed)
    return space.at(sequence.fast_forward(number).random(1)[0].tolist())

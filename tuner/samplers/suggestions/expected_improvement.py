"""The search of one study by expected improvement: the next point is where a Gaussian process expects the largest one.

Optuna has a sampler of this kind. The sampler here differs from it: its Gaussian process has `log lr / (1 - momentum)`
as an extra input, an ask takes a tenth of a second at fifty trials, and many candidates lie close to the best trials,
as a narrow valley of the loss needs.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from tuner.analysis.models import gaussian_process
from tuner.analysis.models.columns import Columns
from tuner.experiment.sequences import halton_point
from tuner.experiment.space import SearchSpace
from tuner.trial import Value, hash_seed

Array = NDArray[np.float64]

WORST = 4.0
"""Losses more than this above the best loss are cut to this: how bad a point beyond a cliff is says nothing."""
KEPT = 500
"""How many trials the process goes through at most, because its time grows with the cube of their number."""
FITTED = 80
"""How many of them its lengths, amplitude and noise are fitted to at most."""
ANYWHERE = 512
"""How many candidates lie anywhere in the space."""
BEST = 5
"""How many of the best trials have more candidates around them."""
AROUND = 40
"""How many candidates lie around each of the best trials, at each distance."""
DISTANCES = (0.15, 0.05, 0.015)
"""Standard deviations of the distance between such a candidate and its trial, as shares of a range."""
SWITCHED = 0.2
"""Share of such candidates that are drawn anew in all choices."""


class ExpectedImprovement:
    """Suggestions by expected improvement (Jones, Schonlau and Welch 1998) over the lowest mean of the process.

    The lowest measured loss would be a biased reference, because it is the luckiest of many. A pending point counts as
    if its loss were the one that the process expects (the kriging believer, Ginsbourger et al. 2010), so that points
    asked for at the same time differ.

    Args:
        space: Where to search.
        seed: The study's seed.
        startup: Results to wait for before the process models them. Until then points are quasi-random.
        noise: First guess of the standard deviation of log2 steps between seeds.
    """

    def __init__(self, space: SearchSpace, *, seed: int, startup: int, noise: float) -> None:
        self._space, self._columns, self._seed = space, Columns(space), seed
        self._startup, self._noise = startup, noise
        self._coordinates: dict[int, list[float]] = {}
        self._losses: dict[int, float] = {}

    def ask(self, number: int) -> Mapping[str, Value]:
        known = len(self._losses) >= self._startup
        point = self._improve(number) if known else halton_point(self._space, number, seed=self._seed)
        self.queue(number, point)
        return point

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        self._coordinates[number] = self._columns.coordinates(point)

    def tell(self, number: int, loss: float) -> None:
        self._losses[number] = loss

    def _improve(self, number: int) -> Mapping[str, Value]:
        """The candidate with the greatest expected improvement."""
        told = best_and_latest(sorted(self._losses, key=lambda each: (self._losses[each], each)), KEPT)
        coordinates = np.array([self._coordinates[each] for each in told])  # [trial, coordinate], best first
        losses = np.array([self._losses[each] for each in told])
        flying = [coordinates for each, coordinates in sorted(self._coordinates.items()) if each not in self._losses]
        pending = np.array(flying).reshape(len(flying), coordinates.shape[1])
        rows = self._columns.rows
        fitted = set(best_and_latest(told, FITTED))
        chosen = np.array([index for index, each in enumerate(told) if each in fitted])
        cut = np.minimum(losses, losses[0] + WORST)
        process = gaussian_process.fit(rows(coordinates), cut, noise=self._noise, chosen=chosen)
        candidates = self._candidates(coordinates[:BEST], np.random.default_rng(hash_seed("gp", self._seed, number)))
        best = process.at(rows(coordinates)).min()
        gains = best - process.at(rows(candidates))
        deviations = process.deviations(rows(candidates), pending=rows(pending)) + 1e-12
        scores = gains / deviations
        density = np.exp(-(scores**2) / 2) / math.sqrt(2 * math.pi)
        improvements = deviations * (scores * ndtr(scores) + density)
        return self._columns.point(candidates[np.argmax(improvements)])

    def _candidates(self, best: Array, generator: np.random.Generator) -> Array:
        """Coordinates anywhere in the space, and around the best at several distances, [candidate, coordinate]."""
        ranges = len(self._columns.ranges)
        anywhere = self._draw(ANYWHERE, generator)
        around = np.repeat(best, AROUND * len(DISTANCES), axis=0)
        steps = np.tile(np.repeat(DISTANCES, AROUND), len(best))[:, None]
        moved = around[:, :ranges] + steps * generator.standard_normal((len(around), ranges))
        switched = generator.random(len(around)) < SWITCHED
        around[switched] = self._draw(int(switched.sum()), generator)
        around[:, :ranges] = np.clip(1 - np.abs(1 - np.abs(moved)), 0.0, 1.0)  # reflected at the edges
        return np.vstack([anywhere, around])

    def _draw(self, count: int, generator: np.random.Generator) -> Array:
        """Coordinates drawn evenly, [candidate, coordinate]."""
        positions = generator.random((count, len(self._columns.ranges)))
        options = [len(each.options) for each in self._columns.choices.values()]
        return np.hstack([positions, *(np.eye(each)[generator.integers(each, size=count)] for each in options)])


def best_and_latest(ordered: Sequence[int], count: int) -> list[int]:
    """So many numbers of points at most: the first half of them, and the greatest of the others, in the same order.

    Args:
        ordered: Numbers of points, best first.
        count: How many to keep.

    >>> best_and_latest([1, 2, 9, 3, 7, 5], 4)
    [1, 2, 9, 7]
    """
    best = count // 2
    latest = set(sorted(ordered[best:])[best - count :])
    return [*ordered[:best], *(each for each in ordered[best:] if each in latest)]

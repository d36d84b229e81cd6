"""Local steps around the best points of a search, between the suggestions of a model.

A model of 50 points cannot see a valley that is narrower than their spacing. Near the end of a search most points are
better spent close to the incumbent, at distances that the best points themselves set: a small evolution strategy.
"""

from collections.abc import Mapping

import numpy as np

from tuner.space import SearchSpace
from tuner.suggestions import OptunaSuggestions
from tuner.trial import Value, hash_seed

BEST = 5
"""The best points, whose spread sets the size of steps."""
SHARE = 0.7
"""A step's standard deviation, as a share of that spread."""
LEAST = 0.01
"""The least standard deviation, as a share of a range."""
MODEL_EVERY = 3
"""Every third point is the model's all the same."""


class RefinedSuggestions:
    """Suggestions of a model and, from some point on, local steps between them. Both learn from every result.

    Args:
        model: Told of every point, its own or not.
        space: Where to search; choices keep the incumbent's value.
        seed: The study's.
        after: Points before the first local step.
    """

    def __init__(self, model: OptunaSuggestions, space: SearchSpace, *, seed: int, after: int) -> None:
        self._model, self._space, self._seed, self._after = model, space, seed, after
        self._points: dict[int, Mapping[str, Value]] = {}
        self._losses: dict[int, float] = {}

    def ask(self, number: int) -> Mapping[str, Value]:
        if number < self._after or number % MODEL_EVERY == 0 or len(self._losses) < BEST:
            self._points[number] = self._model.ask(number)
        else:
            self.queue(number, self._step(number))
        return self._points[number]

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        self._model.queue(number, point)
        self._points[number] = point

    def tell(self, number: int, loss: float) -> None:
        self._model.tell(number, loss)
        self._losses[number] = loss

    def _step(self, number: int) -> Mapping[str, Value]:
        """A normal step from the incumbent, reflected at the edges of the space."""
        ranges = dict(self._space.ranges())
        best = [self._points[each] for each in sorted(self._losses, key=lambda each: (self._losses[each], each))[:BEST]]
        places = np.array([[limits.position(float(each[name])) for name, limits in ranges.items()] for each in best])
        deviations = np.maximum(SHARE * places.std(axis=0), LEAST)
        moves = np.random.default_rng(hash_seed("step", self._seed, number)).standard_normal(len(ranges))
        place = np.clip(1 - np.abs(1 - np.abs(places[0] + deviations * moves)), 0, 1)
        moved = {name: limits.at(float(at)) for (name, limits), at in zip(ranges.items(), place, strict=True)}
        return {**best[0], **moved}

"""A point of a space as a row of numbers, the input of a model.

Learning rate and momentum trade off: good points lie in a valley along constant `lr / (1 - momentum)`, and a search
explores little of it. On the logarithmic scales of both parameters the valley is a straight line. Therefore a model
gets `log lr / (1 - momentum)` as an extra input. Without it a Gaussian process finds half of what is true of these two
parameters (`profiles`), and a search needs more steps (`python -m tests.benchmarks.search`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.hyperparameters import LEARNING_RATE, MOMENTUM
from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace
from tuner.trial import Value

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a space.

    The coordinates of a point are its position in each range, 0 to 1, and for each option of each choice 1 if the point
    has the option, else 0. A row is the coordinates and, if the space searches both learning rate and momentum on their
    logarithmic scales, the position of the effective learning rate.
    """

    space: SearchSpace

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges, by name, in the order of their columns."""
        return dict(self.space.ranges())

    @property
    def choices(self) -> dict[str, Choice]:
        """The choices, by name, in the order of their columns."""
        return {name: each for name, each in self.space.parameters.items() if isinstance(each, Choice)}

    def coordinates(self, point: Mapping[str, Value]) -> list[float]:
        """Where a point lies; the nearest place of the space if outside."""
        positions = [min(max(limits.position(float(point[name])), 0.0), 1.0) for name, limits in self.ranges.items()]
        return positions + [
            float(point[name] == option) for name, each in self.choices.items() for option in each.options
        ]

    def point(self, coordinates: Array) -> dict[str, Value]:
        """The point at these coordinates; of each choice the option with the greatest number."""
        numbers = iter(coordinates.tolist())
        values: dict[str, Value] = {name: limits.at(next(numbers)) for name, limits in self.ranges.items()}
        for name, each in self.choices.items():
            shares = [next(numbers) for _ in each.options]
            values[name] = each.options[shares.index(max(shares))]
        fixed = {name: each.value for name, each in self.space.parameters.items() if isinstance(each, Fixed)}
        return {name: {**values, **fixed}[name] for name in self.space.parameters}

    def rows(self, coordinates: Array) -> Array:
        """Coordinates [point, coordinate] as rows [point, column]."""
        weights = self._valley()
        return (
            np.column_stack([coordinates, coordinates[:, : len(weights)] @ weights]) if weights.any() else coordinates
        )

    def _valley(self) -> Array:
        """The logarithm of the effective learning rate as a weighted mean of positions, [range]; zero if it is none."""
        ranges = self.ranges
        scales = {LEARNING_RATE: Scale.LOG, MOMENTUM: Scale.REVERSE_LOG}
        if any(name not in ranges or ranges[name].scale is not scale for name, scale in scales.items()):
            return np.zeros(len(ranges))
        spans = [each.scale.forward(each.high) - each.scale.forward(each.low) for each in ranges.values()]
        weights = np.array([span if name in scales else 0.0 for name, span in zip(ranges, spans, strict=True)])
        return np.asarray(weights / weights.sum())

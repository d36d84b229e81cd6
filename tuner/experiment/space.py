"""The search space: what a hyperparameter may be, on which scale, and where in its range a value lies."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tuner.trial import Value


class Scale(StrEnum):
    """How a range is spread: evenly in the value, in its logarithm, or in the logarithm of `1 - value`."""

    LINEAR = "linear"
    LOG = "log"
    REVERSE_LOG = "reverse_log"

    def forward(self, value: float) -> float:
        """The coordinate in which the scale is even; it grows with the value."""
        if self is Scale.LOG:
            return math.log(value)
        if self is Scale.REVERSE_LOG:
            return -math.log1p(-value)
        return value

    def backward(self, coordinate: float) -> float:
        """The value at a coordinate."""
        if self is Scale.LOG:
            return math.exp(coordinate)
        if self is Scale.REVERSE_LOG:
            return -math.expm1(-coordinate)
        return coordinate


class Side(StrEnum):
    """An end of a range."""

    LOW = "low"
    HIGH = "high"


class Natural(StrEnum):
    """Which ends of a range are where the parameter itself ends, so that widening makes no sense."""

    NEITHER = "neither"
    LOW = "low"
    HIGH = "high"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Range:
    """Every number from `low` to `high`, both included; whole numbers only if `integer`.

    `natural` says which ends the parameter itself has; 0 on a reverse log scale is one without saying so.

    Raises:
        ValueError: The range is empty, or its scale is not defined on all of it.

    >>> Range(0.0, 0.99, scale=Scale.REVERSE_LOG).at(0.5)
    0.9
    >>> Range(1e-3, 10.0, scale=Scale.LOG).position(0.1)
    0.5
    """

    low: float
    high: float
    scale: Scale = Scale.LINEAR
    integer: bool = False
    natural: Natural = Natural.NEITHER

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"low = {self.low:g} and high = {self.high:g} must be finite numbers")
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g} must be less than high = {self.high:g}")
        if self.scale is Scale.LOG and self.low <= 0:
            raise ValueError(f"low = {self.low:g} must be positive on a log scale")
        if self.scale is Scale.REVERSE_LOG and self.high >= 1:
            raise ValueError(f"high = {self.high:g} must be less than 1 on a reverse_log scale")
        if self.integer and not (self.low == int(self.low) and self.high == int(self.high)):
            raise ValueError(f"low = {self.low:g} and high = {self.high:g} must be whole numbers when integer = true")

    def position(self, value: float) -> float:
        """Where a value lies on the range's own scale: 0 at `low`, 1 at `high`, to 12 digits."""
        start, end = self.scale.forward(self.low), self.scale.forward(self.high)
        return round((self.scale.forward(value) - start) / (end - start), 12)

    def at(self, position: float) -> float:
        """The value at a position in 0..1, to 12 significant digits; never outside the range."""
        start, end = self.scale.forward(self.low), self.scale.forward(self.high)
        return self.nearest(float(f"{self.scale.backward(start + position * (end - start)):.12g}"))

    def nearest(self, value: float) -> float:
        """The value of the range that is nearest to a number."""
        return min(max(round(value) if self.integer else value, self.low), self.high)

    def end(self, side: Side) -> float:
        """The value at an end."""
        return self.low if side is Side.LOW else self.high

    def widen(self, side: Side) -> "Range":
        """The range with one side further out; the range itself if there is nothing beyond.

        By a factor of ten on a log scale, by a factor of ten in `1 - value` on a reverse log scale, by half its width
        on a linear one. Amounts stay amounts: what lies above 0 never goes below, whole numbers above 0 never to 0,
        and a linear range within 0..1 stays within.

        >>> Range(1e-3, 1e-2, scale=Scale.LOG).widen(Side.HIGH).high
        0.1
        >>> Range(0.5, 0.99, scale=Scale.REVERSE_LOG).widen(Side.HIGH).high
        0.999
        """
        value = float(f"{self._further(side):.12g}")
        if self.integer and math.isfinite(value):
            value = math.floor(value) if side is Side.LOW else math.ceil(value)
        low, high = self.low, self.high
        if side is Side.LOW:
            least = -math.inf if low < 0 else 1.0 if self.integer and low > 0 else 0.0
            low = min(max(value, least), low)
        else:
            most = 1.0 if self.scale is Scale.LINEAR and low >= 0 and high <= 1 else math.inf
            high = max(min(value, most), high)
        try:
            return replace(self, low=low, high=high)
        except ValueError:  # beyond the numbers there are, or those the scale has
            return self

    def _further(self, side: Side) -> float:
        """Where an end would go if nothing were in its way."""
        outward = -1 if side is Side.LOW else 1
        if self.scale is Scale.LOG:
            return self.end(side) * 10.0**outward
        if self.scale is Scale.REVERSE_LOG:
            return round(1 - (1 - self.end(side)) * 10.0**-outward, 12)
        return self.end(side) + outward * (self.high - self.low) / 2

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values without an order."""

    options: tuple[Value, ...]

    def at(self, position: float) -> Value:
        """The option at a position in 0..1, each with an equal share."""
        return self.options[min(int(position * len(self.options)), len(self.options) - 1)]

    def __post_init__(self) -> None:
        if len(self.options) < 2:
            raise ValueError("options needs at least two values; use { value = ... } to fix one")
        if len(set(map(repr, self.options))) < len(self.options):
            raise ValueError("options holds the same value twice")

    def __contains__(self, value: object) -> bool:
        return value in self.options


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that is not searched."""

    value: Value

    def __contains__(self, value: object) -> bool:
        return value == self.value


Parameter = Range | Choice | Fixed


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Every hyperparameter of an objective, by name. Flat: conditional parameters would leave the joint search."""

    parameters: Mapping[str, Parameter]

    @property
    def dimensions(self) -> int:
        """How many parameters are searched."""
        return len(self.searched())

    def searched(self) -> tuple[str, ...]:
        """The names of the parameters that are searched."""
        return tuple(name for name, each in self.parameters.items() if not isinstance(each, Fixed))

    def at(self, position: Sequence[float]) -> dict[str, Value]:
        """The point at a position in the unit cube, one coordinate for each parameter that is searched."""
        coordinates = iter(position)
        return {
            name: each.value if isinstance(each, Fixed) else each.at(next(coordinates))
            for name, each in self.parameters.items()
        }

    def ranges(self) -> Iterator[tuple[str, Range]]:
        """The parameters that have edges."""
        return ((name, each) for name, each in self.parameters.items() if isinstance(each, Range))

    def around(self, point: Mapping[str, Value]) -> "SearchSpace":
        """The space with its ranges stretched as far as a point lies outside them.

        >>> SearchSpace({"x": Range(0.0, 1.0)}).around({"x": 1.5}).parameters["x"].high
        1.5
        """
        stretched = {
            name: replace(each, low=min(each.low, float(point[name])), high=max(each.high, float(point[name])))
            for name, each in self.ranges()
        }
        return SearchSpace({**self.parameters, **stretched})

    def with_fixed(self, point: Mapping[str, Value]) -> dict[str, Value]:
        """A point, perhaps of another batch size, with the values that this space fixes.

        >>> SearchSpace({"x": Range(0.0, 1.0), "y": Fixed(3)}).with_fixed({"x": 0.5, "y": 2})
        {'x': 0.5, 'y': 3}
        """
        fixed = {name: each.value for name, each in self.parameters.items() if isinstance(each, Fixed)}
        return {name: fixed.get(name, value) for name, value in point.items()}

    def __contains__(self, point: object) -> bool:
        return (
            isinstance(point, Mapping)
            and point.keys() == self.parameters.keys()
            and all(value in self.parameters[name] for name, value in point.items())
        )

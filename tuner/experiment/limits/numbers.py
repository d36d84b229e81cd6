"""The numbers that a setting may hold, as types: `points: Points = 50`.

A number that nobody means makes a service hang, take all memory or end with an error of some library. So every type
has a most. It is far beyond what experiments use: one that needs more is a reason to raise it here.
"""

import math
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic import AllowInfNan, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_hold: ContextVar[bool] = ContextVar("limits_hold", default=False)


@contextmanager
def limits_hold() -> Iterator[None]:
    """Settings that are read within are held to their limits: they are a user's, and no earlier version stored them."""
    before = _hold.set(True)
    try:
        yield
    finally:
        _hold.reset(before)


def do_limits_hold() -> bool:
    """Whether settings are held to their limits now."""
    return _hold.get()


@dataclass(frozen=True, slots=True)
class Within:
    """Marks a number that has a most, and perhaps a least, where `limits_hold`.

    Attributes:
        or_infinite: Whether it may also be infinite.
    """

    most: float
    least: float = -math.inf
    or_infinite: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, value: float) -> float:
        if not _hold.get() or self.least <= value <= self.most or (self.or_infinite and value == math.inf):
            return value
        end = f"at least {self.least:g}" if value < self.least else f"at most {_number(self.most)}"
        raise PydanticCustomError("limit", "should be {end}", {"end": end + " or inf" * self.or_infinite})


@dataclass(frozen=True, slots=True)
class Few:
    """Marks a list that has a most of entries, where `limits_hold`."""

    most: int

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, value: Sized) -> Sized:
        if _hold.get() and len(value) > self.most:
            raise PydanticCustomError("limit", "should have at most {most} entries", {"most": self.most})
        return value


def _number(value: float) -> str:
    """A number as a message has it."""
    return f"{value:,.0f}" if value < 1e12 else f"{value:g}"


MOST_STEPS = 1_000_000_000
Count = Annotated[int, Ge(1), Within(MOST_STEPS)]
"""Examples or gradient steps. PostgreSQL keeps steps and batch sizes in 32 bits, and the last measurement of a trial
may be made a little after its budget."""
Examples = Annotated[int, Ge(1), Within(10**15)]
"""Training examples that a trial sees, some of them often: so many can be counted exactly as floating-point numbers."""
ENDLESS = 2**40
"""The size of a training set from which on it counts as one without an end, whose examples are all new: no epochs."""
Epochs = Annotated[float, Gt(0), AllowInfNan(False), Within(1e6, least=1e-6)]
"""Passes over a training set."""
Seed = Annotated[int, Ge(0), Within(2**63 - 1)]
"""What a database and a generator of random numbers take."""
SmallSeed = Annotated[int, Ge(0), Le(2**32 - 1)]
"""What scikit-learn takes."""

BATCH_SIZES = Few(100)
"""Each is a study of its own, and the analysis compares all of them."""
Points = Annotated[int, Ge(1), Within(10_000)]
"""Trials of a study: a sampler's time grows with their square."""
MorePoints = Annotated[int, Ge(0), Within(10_000)]
"""Trials that may be added to them."""
Lanes = Annotated[int, Ge(1), Within(256)]
"""Trials in flight. Their parameters are all in memory at once."""
Ahead = Annotated[int, Ge(0), Within(256)]
"""Suggestions that are made before they are needed: they know less, and the first trial waits for them."""
Probes = Annotated[int, Ge(0), Within(100)]
"""Trials beyond a side: more of them is the next round's task."""
Rounds = Annotated[int, Ge(1), Within(20)]
"""A range on a log scale grows by a factor of ten in each."""
Repeats = Annotated[int, Ge(1), Within(1_000)]
"""Candidates, and seeds on which they run."""
TestSteps = Annotated[int, Ge(0), Within(1_000)]
"""Steps at which test metrics are measured. There are some hundreds of measurements in a long trial."""

Factor = Annotated[float, Ge(1.0), Within(1e6, or_infinite=True)]
"""How many times more something may be; infinite for any."""
Share = Annotated[float, Ge(0.0), Le(1.0)]
"""A part of a whole."""
Level = Annotated[float, Gt(0), AllowInfNan(False), Within(1e30, least=1e-30)]
"""A positive number of any size, such as a target: ratios of two are numbers too."""
Ideal = Annotated[float, Within(1e30, least=-1e30, or_infinite=True)]
"""The best value that a metric can have; infinite if it has none."""
Exponent = Annotated[float, Within(10.0, least=-10.0)]
"""A power of numbers that themselves span some decades."""
Scale = Annotated[float, Within(1e30)]
"""The size of something: its square and its product with another are numbers too."""
Seconds = Annotated[float, Ge(0), Within(600.0)]
"""Something is waited for so long."""

Units = Annotated[int, Ge(1), Within(16_384)]
"""The width of a layer."""
Positions = Annotated[int, Ge(1), Within(65_536)]
"""The length of an example of a text: every position looks at all before it."""
Depth = Annotated[int, Ge(1), Within(256)]
"""Layers of a network of equal layers."""
LAYERS = Few(64)
"""Layers of a network."""
Directions = Annotated[int, Within(100_000)]
"""Of a loss that is computed in every direction."""
NAMES = Few(100)
"""What a trial may measure: MLflow takes a hundred parameters at once, and every page lists all metrics."""

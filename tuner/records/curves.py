"""Curves of many trials, read only where something is computed from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tuner.records.trials import Curve, Role

CurvesOf = Callable[[int, int], Mapping[int, Curve]]
"""The curves of a study's trials by number, from its batch size and the round."""


def no_curves(batch_size: int, round: int) -> Mapping[int, Curve]:  # noqa: ARG001
    """A `CurvesOf` of an experiment whose curves are not at hand."""
    return {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which curves are read, and what of them. Reading all of an experiment's takes longer than the rest of a report.

    Attributes:
        roles: Those of the trials, as they were run; all if none is named.
        metrics: All if none is named. Measurements without any of these are left out.
    """

    roles: frozenset[Role] = frozenset()
    metrics: frozenset[str] = frozenset()


EVERYTHING = Wanted()


@runtime_checkable
class SelectsCurves(Protocol):
    """What a `CurvesOf` implements besides if it can read a part of the curves."""

    def some(self, batch_size: int, round: int, wanted: Wanted) -> Mapping[int, Curve]:
        """The curves that are wanted."""
        ...


def some_curves(curves: CurvesOf, batch_size: int, round: int, wanted: Wanted) -> Mapping[int, Curve]:
    """The curves that are wanted; with others and with more metrics, where they cannot be read apart."""
    return curves.some(batch_size, round, wanted) if isinstance(curves, SelectsCurves) else curves(batch_size, round)


@dataclass(frozen=True, slots=True)
class RememberedCurves:
    """Curves that are read once, however many ask for them."""

    source: CurvesOf
    _read: dict[tuple[int, int, Wanted], Mapping[int, Curve]] = field(default_factory=dict)

    def __call__(self, batch_size: int, round: int) -> Mapping[int, Curve]:
        """As a `CurvesOf`: all of them."""
        return self.some(batch_size, round, EVERYTHING)

    def some(self, batch_size: int, round: int, wanted: Wanted) -> Mapping[int, Curve]:
        """As `SelectsCurves` has it; all of them, if they have been read already."""
        for each in (EVERYTHING, wanted):
            if (batch_size, round, each) in self._read:
                return self._read[batch_size, round, each]
        whole = wanted == EVERYTHING
        found = self.source(batch_size, round) if whole else some_curves(self.source, batch_size, round, wanted)
        self._read[batch_size, round, wanted] = found
        return found

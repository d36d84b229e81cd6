"""By how much two experiments differ, and whether that is beyond what other seeds and other searches would change.

Both experiments are drawn again by themselves, so that the ratio of two of their numbers has an interval. Where both
used the same training seeds their scores may rise and fall together; then the interval is rather too wide.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tuner.analysis.comparison.redrawing import Array, Compared, Interval, Redrawn, interval
from tuner.analysis.finite import finite
from tuner.analysis.scaling.curve import NotFitted, ScalingFit


class Quantity(StrEnum):
    """What is compared."""

    CRITICAL = "critical_batch_size"
    FLOOR = "least_steps"
    SCORE = "score"


class Verdict(StrEnum):
    """What the intervals of a ratio allow to say."""

    BEYOND = "beyond"
    """A difference: neither other seeds nor other searches explain it."""
    BEYOND_SEEDS = "beyond_seeds"
    """Other seeds do not explain it; how far searches differ cannot be estimated."""
    WITHIN_SEARCHES = "within_searches"
    """Other seeds do not explain it, but other searches may."""
    WITHIN = "within"
    """Other seeds may explain it."""
    UNKNOWN = "unknown"
    """There is nothing to compare, or no interval."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A number of one experiment over that of another, the reference.

    Attributes:
        quantity: Which number. Least steps and critical batch sizes are those of the fits.
        batch_size: Where, if it is a score; else None.
        ratio: Infinite or 0 if only one of both has a score; None if neither has, or a fit is missing.
        over_seeds: Its interval over training seeds, at the very optima that were found; None if that is not known.
        repeated: Its interval over repeated experiments; None if that is not known.
        why: Why there is no verdict; empty if there is one.
    """

    of: str
    to: str
    quantity: Quantity
    batch_size: int | None
    ratio: float | None
    over_seeds: Interval | None = None
    repeated: Interval | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """No stronger than the intervals."""
        if self.over_seeds is None:
            return Verdict.UNKNOWN
        if self.over_seeds.has(1):
            return Verdict.WITHIN
        if self.repeated is None:
            return Verdict.BEYOND_SEEDS
        return Verdict.WITHIN_SEARCHES if self.repeated.has(1) else Verdict.BEYOND

    def to_json(self) -> dict[str, object]:
        """One entry of `contrasts`; null stands for an infinite number."""
        return {
            "experiment": self.of,
            "reference": self.to,
            "quantity": self.quantity.value,
            "batch_size": self.batch_size,
            "ratio": finite(self.ratio),
            "over_seeds": None if self.over_seeds is None else self.over_seeds.to_json(),
            "repeated": None if self.repeated is None else self.repeated.to_json(),
            "verdict": self.verdict.value,
            "why": self.why,
        }


def contrasts(of: Compared, to: Compared) -> Iterator[Contrast]:
    """Every number that both experiments have: those of the fits, if scores are steps, and the score at each size."""
    if of.record.experiment.goal.unit.counts_steps:
        yield from _of_fits(of, to)
    for batch_size in sorted(of.scores.keys() & to.scores.keys()):
        yield _of_scores(of, to, batch_size)


def _of_fits(of: Compared, to: Compared) -> Iterator[Contrast]:
    """The critical batch size and the least steps."""
    if isinstance(of.fit, NotFitted) or isinstance(to.fit, NotFitted):
        why = "; ".join(f"{each.name}: {each.fit.sentence}" for each in (of, to) if isinstance(each.fit, NotFitted))
        for quantity in (Quantity.CRITICAL, Quantity.FLOOR):
            yield Contrast(of.name, to.name, quantity, None, None, why=why)
        return
    beyond = [each.name for each in (of, to) if isinstance(each.fit, ScalingFit) and each.fit.is_extrapolated]
    ratios = of.fit.critical_batch_size / to.fit.critical_batch_size, of.fit.least_steps / to.fit.least_steps
    for which, quantity, ratio in zip((1, 0), (Quantity.CRITICAL, Quantity.FLOOR), ratios, strict=True):
        if beyond:
            why = f"the steps of {' and of '.join(beyond)} still fall at the largest batch size"
            yield Contrast(of.name, to.name, quantity, None, ratio, why=why)
            continue
        seeds = _ratio(_fits(of.seeds, which), _fits(to.seeds, which))
        repeated = _ratio(_fits(of.searches, which), _fits(to.searches, which))
        yield Contrast(of.name, to.name, quantity, None, ratio, seeds, repeated, _too_few(seeds))


def _of_scores(of: Compared, to: Compared, batch_size: int) -> Contrast:
    """The scores at a batch size."""
    one, other = of.scores[batch_size], to.scores[batch_size]
    missing = [each.name for each, score in ((of, one), (to, other)) if math.isinf(score)]
    if missing:
        failed = of.record.experiment.goal.unit.failed
        ratio = None if len(missing) == 2 else (math.inf if math.isinf(one) else 0.0)
        why = f"{failed} by {' and '.join(missing)}"
        return Contrast(of.name, to.name, Quantity.SCORE, batch_size, ratio, why=why)
    seeds = _ratio(_scores(of.seeds, batch_size), _scores(to.seeds, batch_size))
    repeated = _ratio(_scores(of.searches, batch_size), _scores(to.searches, batch_size))
    return Contrast(of.name, to.name, Quantity.SCORE, batch_size, one / other, seeds, repeated, _too_few(seeds))


def _too_few(seeds: Interval | None) -> str:
    return "too few seeds report for an interval" if seeds is None else ""


def _fits(drawn: Redrawn | None, which: int) -> Array | None:
    return None if drawn is None or drawn.fits is None else drawn.fits[which]


def _scores(drawn: Redrawn | None, batch_size: int) -> Array | None:
    return None if drawn is None else drawn.at(batch_size)


def _ratio(of: Array | None, to: Array | None) -> Interval | None:
    """The interval of a ratio of two numbers that were drawn by themselves."""
    if of is None or to is None:
        return None
    with np.errstate(invalid="ignore"):
        return interval(of / to)

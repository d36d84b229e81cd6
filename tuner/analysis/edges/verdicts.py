"""Whether the optimum lies at an edge of the space: a verdict for each range of a searched study.

An optimum is outside if widening a side would lower the best score by more than `outside.WORTHWHILE`. A best point near
an edge is no evidence by itself: a parameter without effect has its best value anywhere, and along a ridge of constant
`lr / (1 - momentum)` the best few points scatter over the whole box. Therefore the probability that widening helps is
computed (`outside`), and a side is flagged if the probability is above `SUSPICIOUS`. That bound is low, because a
needless round costs less than a missed optimum. A side beyond which the workload cannot train is named as such. Where
the verdict is in doubt, trials beyond the side have been run (`probes`). `python -m tests.benchmarks.edges` measures
how often verdicts are wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.edges.outside import FEW, Evidence, reach
from tuner.analysis.optimum.confirmation import Confirmation
from tuner.analysis.words import percent
from tuner.experiment.space import Natural, Range, Scale, SearchSpace, Side
from tuner.records import StudyRecord
from tuner.trial import Value

Array = NDArray[np.float64]

SUSPICIOUS = 0.08
"""Chance that widening helps from which on a side is flagged: misses and false alarms are then about as frequent."""
PROBABLE = 0.25
"""Chance above which an optimum is said to be at a natural limit: nothing hangs on it but a sentence."""
AT_FRONTIER = 0.1
"""Within this distance of where training stops working, the best few sit at a stability limit."""
BEYOND = 3
"""Diverged trials beyond the best that make a stability limit."""


class Verdict(StrEnum):
    """Where the optimum lies, as seen from one parameter."""

    BOX_EDGE = "box_edge"
    STABILITY_LIMIT = "stability_limit"
    NATURAL_LIMIT = "natural_limit"
    WORKLOAD_LIMIT = "workload_limit"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class EdgeVerdict:
    """What is known of one parameter's more suspicious side.

    Attributes:
        position: Where the best point lies in the range on its own scale, 0 to 1.
        value: The best point's value.
        confidence: How probable it is that going on beyond that side would save more than 10 % of the score.
    """

    parameter: str
    side: Side
    verdict: Verdict
    position: float
    value: float
    confidence: float

    @property
    def sentence(self) -> str:
        """What this says, and what to do about it."""
        end, sure = f"{self.side} end of {self.parameter}", percent(self.confidence)
        return {
            Verdict.BOX_EDGE: f"The optimum may be beyond the {end} ({sure}): widen the range there.",
            Verdict.STABILITY_LIMIT: f"{self.parameter} is as {self.side} as training allows: beyond, trials diverge.",
            Verdict.NATURAL_LIMIT: f"The optimum is at the {end}, where the parameter itself ends.",
            Verdict.WORKLOAD_LIMIT: f"The optimum may be at the {end}, beyond which the workload cannot train.",
            Verdict.INSIDE: f"The optimum of {self.parameter} is inside its range.",
        }[self.verdict]

    def to_json(self) -> dict[str, object]:
        """One entry of `edges`."""
        return {
            "parameter": self.parameter,
            "side": str(self.side),
            "verdict": str(self.verdict),
            "position": self.position,
            "confidence": self.confidence,
        }


Refuses = Callable[[str, Side], bool]
"""Whether the workload cannot train beyond a side of a range. It is asked only where an optimum may be beyond."""


def check(
    study: StudyRecord, confirmed: Confirmation | None = None, *, refuses: Refuses = lambda *_: False
) -> tuple[EdgeVerdict, ...]:
    """A verdict for each range of a study's space, in the space's order; none if every trial diverged.

    Trials that did not reach the target count by the loss the sampler was told, so a study that nothing reached says
    where its space should grow. A confirmed winner says where the best point is; the chances rest on the search.
    A winner of another batch size may lie outside the space, which then should have been wider.
    """
    evidence = Evidence.of(study)
    best = confirmed.hyperparameters if confirmed else evidence.best
    found: dict[str, EdgeVerdict] = {}
    for each in sides(evidence, study.space, best):
        is_limit = each.verdict is Verdict.BOX_EDGE and refuses(each.parameter, each.side)
        side = replace(each, verdict=Verdict.WORKLOAD_LIMIT) if is_limit else each
        found[each.parameter] = min(found.get(each.parameter, side), side, key=_suspicion)
    found |= {each.parameter: each for each in _outside(study.space, best) if each.parameter in found}
    return tuple(found[name] for name, _ in study.space.ranges() if found)


def _outside(space: SearchSpace, best: Mapping[str, Value]) -> Iterator[EdgeVerdict]:
    """A verdict for each range that the best point lies outside of, as the point of another batch size may."""
    for name, limits in space.ranges():
        if name in best and best[name] not in limits:
            value = float(best[name])
            side = Side.LOW if value < limits.low else Side.HIGH
            position = 0.0 if side is Side.LOW else 1.0
            yield EdgeVerdict(name, side, Verdict.BOX_EDGE, position, value, confidence=1.0)


def sides(evidence: Evidence, space: SearchSpace, best: Mapping[str, Value]) -> Iterator[EdgeVerdict]:
    """A verdict for each side of each range; none if every trial in the box diverged.

    Args:
        evidence: Of a study.
        space: The study's.
        best: The best point.
    """
    if not best or evidence.fitted is None:
        return
    ranges = dict(space.ranges())
    signs = evidence.signs(np.array([reach(ranges[name]) for name in evidence.names]))
    for column, (name, both) in enumerate(zip(evidence.names, signs, strict=True)):
        for side, sign in zip(Side, both, strict=True):
            yield EdgeVerdict(
                parameter=name,
                side=side,
                verdict=_verdict(evidence, column, side, limits=ranges[name], chance=sign.chance),
                position=min(max(ranges[name].position(float(best[name])), 0.0), 1.0),
                value=float(best[name]),
                confidence=sign.chance,
            )


def _suspicion(edge: EdgeVerdict) -> tuple[int, float]:
    """Sorts the more suspicious side first."""
    return list(Verdict).index(edge.verdict), -edge.confidence


def _verdict(evidence: Evidence, column: int, side: Side, *, limits: Range, chance: float) -> Verdict:
    """The verdict for one side of a range."""
    if _is_stability_limit(evidence, column, side):
        return Verdict.STABILITY_LIMIT
    if is_natural(limits, side):
        return Verdict.NATURAL_LIMIT if chance > PROBABLE else Verdict.INSIDE
    return Verdict.BOX_EDGE if chance >= SUSPICIOUS else Verdict.INSIDE


def _is_stability_limit(evidence: Evidence, column: int, side: Side) -> bool:
    """Whether the best few sit where training stops working: beyond, nothing but divergence was seen."""
    trained = _distances(evidence.trained[:, column], side)
    frontier = trained.min()  # the least distance to the edge at which something still trained
    diverged = _distances(evidence.diverged[:, column], side)
    return bool(np.median(trained[:FEW]) <= frontier + AT_FRONTIER and np.sum(diverged < frontier) >= BEYOND)


def is_natural(limits: Range, side: Side) -> bool:
    """Whether a range ends because the parameter does: as the experiment says, or as far as its scale tells.

    A reverse logarithm measures how far a value is from 1 and starts at 0 (no momentum); a linear range that starts at
    exactly 0 holds amounts, and one that ends at exactly 1 as well holds shares. A logarithm has no end.
    """
    if limits.natural in (Natural.BOTH, Natural(side)):
        return True
    if side is Side.LOW:
        return limits.scale is not Scale.LOG and limits.low == 0
    return limits.scale is Scale.LINEAR and limits.low == 0 and limits.high == 1


def _distances(positions: Array, side: Side) -> Array:
    """From positions to an edge, in shares of the range."""
    return positions if side is Side.LOW else 1 - positions

"""How often verdicts on edges are wrong, and whether their confidence is what it says, where the truth is known.

Run as `python -m tests.benchmarks.edges [--landscapes 300] [--boxes 30] [--json]`. Synthetic landscapes and boxes on
the noisy quadratic model are drawn, searched as the program searches, and judged after 20, 30, 50 and 100 trials and
the probes that these lead to; after 50 also without probes. A side is outside if widening it by a decade lowers the
optimum by more than 15 %, and inside if by less than 5 %; sides between are not scored, but count for the confidence,
which is about 10 %.

`--fit` fits the weights of `tuner.analysis.edges.outside` on landscapes that are not those of the study.
"""

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize

from tests.tuner.analysis.landscapes import Landscape, Searchable, probe, search
from tests.tuner.analysis.quadratic_boxes import QuadraticBox
from tuner.analysis.edges import verdicts as edges
from tuner.analysis.edges.outside import WORTHWHILE, Evidence, reach
from tuner.analysis.edges.verdicts import Verdict
from tuner.records import Role, StudyRecord
from tuner.trial import Outcome

POINTS = (20, 30, 50, 100)
NOISES = (0.05, 0.15, 0.3)
"""Standard deviations of log2 steps between seeds: 3.5, 11 and 23 %."""
INSIDE, OUTSIDE, HELPS = -math.log2(0.95), -math.log2(0.85), -math.log2(1 - WORTHWHILE)
"""log2 steps gained."""
REACHED = 5
"""Studies in which fewer trials reached the target are counted apart."""
TRAINING_SEED, STUDY_SEED = 0, 1_000_000
BINS = (0.0, 0.02, 0.08, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Side:
    """A side of a range in a searched study: what was said of it, and what is true.

    Attributes:
        gain: log2 steps that widening it saves.
        confidence: As given; None if the verdict is about the range's other side.
        probes: How many the study has; None if it was judged without.
        cost: Steps spent on them, over those of the search.
    """

    problem: str
    points: int
    noise: float
    enough: bool
    gain: float
    flagged: bool
    confidence: float | None
    probes: int | None = None
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """How the verdicts on some of the sides were.

    Attributes:
        outside, inside: How many sides are.
        missed, flagged: Shares of those for which the verdict is wrong, and their standard errors.
        probes, cost: Means over studies.
    """

    sides: str
    points: int
    outside: int
    missed: float
    missed_error: float
    inside: int
    flagged: float
    flagged_error: float
    probes: float
    cost: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Verdicts with a confidence between two: their mean confidence, and how often widening would help."""

    low: float
    high: float
    verdicts: int
    confidence: float
    helps: float


def first(study: StudyRecord, points: int) -> StudyRecord:
    """The study as it stood after so many points."""
    return replace(study, trials=tuple(each for each in study.trials if each.number < points))


def reached(study: StudyRecord) -> int:
    """How many trials of the search reached the target."""
    ends = (each.end for each in study.finished(Role.SEARCH))
    return sum(end is not None and end.outcome is Outcome.ACHIEVED for end in ends)


def landscapes(count: int, *, seed: int) -> Iterator[tuple[int, Landscape]]:
    """Synthetic landscapes and their seeds, every noise in turn."""
    for each in range(seed, seed + count):
        yield each, Landscape.draw(np.random.default_rng(each), noise=NOISES[each % len(NOISES)])


def boxes(count: int, *, seed: int) -> Iterator[tuple[int, QuadraticBox]]:
    """Boxes on the noisy quadratic model and their seeds, each with every noise."""
    for each in range(seed, seed + count):
        drawn = QuadraticBox.draw(np.random.default_rng(each), noise=0.0)
        truth = drawn.gains
        for noise in NOISES:
            yield each, drawn.with_noise(noise, truth)


def judged(problem: str, workloads: Iterable[tuple[int, Searchable]]) -> Iterator[Side]:
    """Every side of every workload after each number of points at which something had reached the target."""
    for seed, workload in workloads:
        whole = search(workload, seed=seed, points=max(POINTS))
        for points in POINTS:
            study = first(whole, points)
            if reached(study) == 0:
                continue
            if points == 50:
                yield from _sides(problem, workload, study, points)
            probed = probe(workload, study, seed=seed)
            probes = [each.end.spent for each in probed.trials[points:] if each.end is not None]
            cost = sum(probes) / sum(each.end.spent for each in study.trials if each.end is not None)
            for each in _sides(problem, workload, probed, points):
                yield replace(each, probes=len(probes), cost=cost)


def _sides(problem: str, workload: Searchable, study: StudyRecord, points: int) -> Iterator[Side]:
    """Every side of a workload as judged from a study."""
    enough = reached(study) >= REACHED
    said = {(each.parameter, str(each.side)): each for each in edges.check(study)}
    for side, gain in workload.gains.items():
        verdict = said.get(side)
        flagged = verdict is not None and verdict.verdict is Verdict.BOX_EDGE
        yield Side(problem, points, workload.noise, enough, gain, flagged, verdict.confidence if verdict else None)


def table_of(sides: Sequence[Side]) -> list[Row]:
    """Rows for each problem and number of points; at 50 for each noise, where enough reached it, and without probes."""
    rows = []
    for problem in dict.fromkeys(each.problem for each in sides):
        ours = [each for each in sides if each.problem == problem and each.probes is not None]
        rows += [_row(problem, points, [each for each in ours if each.points == points]) for points in POINTS]
        at_50 = [each for each in ours if each.points == 50]
        for noise in NOISES:
            name = f"{problem}, noise {2**noise - 1:.0%}"
            rows.append(_row(name, 50, [each for each in at_50 if each.noise == noise]))
        rows.append(_row(f"{problem}, {REACHED} or more reached", 50, [each for each in at_50 if each.enough]))
        alone = [each for each in sides if each.problem == problem and each.probes is None]
        rows.append(_row(f"{problem}, without probes", 50, alone))
    return rows


def _row(name: str, points: int, sides: Sequence[Side]) -> Row:
    outside = [each for each in sides if each.gain > OUTSIDE]
    inside = [each for each in sides if each.gain < INSIDE]
    missed = np.mean([not each.flagged for each in outside]) if outside else math.nan
    flagged = np.mean([each.flagged for each in inside]) if inside else math.nan
    return Row(
        sides=name,
        points=points,
        outside=len(outside),
        missed=float(missed),
        missed_error=math.sqrt(missed * (1 - missed) / max(len(outside), 1)),
        inside=len(inside),
        flagged=float(flagged),
        flagged_error=math.sqrt(flagged * (1 - flagged) / max(len(inside), 1)),
        probes=float(np.mean([each.probes or 0 for each in sides])) if sides else math.nan,
        cost=float(np.mean([each.cost for each in sides])) if sides else math.nan,
    )


def calibration(sides: Sequence[Side], *, points: int = 50) -> list[Bin]:
    """Confidence against truth."""
    given = [
        (each.confidence, each.gain > HELPS)
        for each in sides
        if each.points == points and each.probes is not None and each.confidence is not None
    ]
    bins = []
    for low, high in pairwise(BINS):
        within = [(confidence, helps) for confidence, helps in given if low <= confidence < high]
        if within:
            means = np.mean(within, axis=0)
            bins.append(Bin(low, high, len(within), float(means[0]), float(means[1])))
    return bins


def fitted_weights(count: int) -> list[float]:
    """The weights of `tuner.analysis.edges.outside`: the likeliest for `count` landscapes."""
    signs, helps = [], []
    for seed, landscape in landscapes(count, seed=TRAINING_SEED):
        whole = search(landscape, seed=seed, points=max(POINTS))
        ranges = dict(landscape.space.ranges())
        for points in POINTS:
            study = first(whole, points)
            if reached(study) == 0:
                continue
            evidence = Evidence.of(probe(landscape, study, seed=seed))
            found = evidence.signs(np.array([reach(ranges[name]) for name in evidence.names]))
            for name, sides in zip(evidence.names, found, strict=True):
                for side, each in zip(("low", "high"), sides, strict=True):
                    signs.append([1.0, each.draws, each.few, each.rival])
                    helps.append(landscape.gains[name, side] > HELPS)
    features, truth = np.array(signs), np.where(helps, 1.0, -1.0)

    def surprise(weights: NDArray[np.float64]) -> float:
        return float(np.mean(np.logaddexp(0, -truth * (features @ weights))))

    return [round(float(each), 2) for each in minimize(surprise, np.zeros(4)).x]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landscapes", type=int, default=300)
    parser.add_argument("--boxes", type=int, default=30)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.fit:
        print("WEIGHTS =", tuple(fitted_weights(given.landscapes)))
        return
    sides = list(judged("synthetic", landscapes(given.landscapes, seed=STUDY_SEED)))
    sides += judged("nqm", boxes(given.boxes, seed=STUDY_SEED))
    rows, bins = table_of(sides), calibration(sides)
    if given.json:
        print(json.dumps({"results": [asdict(each) for each in rows], "calibration": [asdict(each) for each in bins]}))
        return
    table = Table("sides", "points", "outside", "missed", "inside", "flagged", "probes", "of steps")
    for row in rows:
        missed = f"{row.missed:.1%} +- {row.missed_error:.1%}"
        flagged = f"{row.flagged:.1%} +- {row.flagged_error:.1%}"
        table.add_row(
            row.sides,
            str(row.points),
            str(row.outside),
            missed,
            str(row.inside),
            flagged,
            f"{row.probes:.1f}",
            f"{row.cost:.0%}",
        )
    chances = Table("confidence", "verdicts", "mean", "widening helps")
    for each in bins:
        span = f"{each.low:.0%} - {each.high:.0%}"
        chances.add_row(span, str(each.verdicts), f"{each.confidence:.0%}", f"{each.helps:.0%}")
    Console().print(table, chances)


if __name__ == "__main__":
    main()

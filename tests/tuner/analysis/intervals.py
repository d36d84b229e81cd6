"""How true are the intervals of `tuner.analysis.profiles`? Measured on synthetic landscapes with a known profile.

`python -m tests.tuner.analysis.intervals 200` prints, for each factor and for the intervals with and without the model:
the share of the interval that is true and the share of the truth that is in it, on average over parameters and over
landscapes in which five trials or more reached the target. Its figures are in that module.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.tuner.analysis.landscapes import NAMES, Landscape, search
from tuner.analysis.confirmation import candidates
from tuner.analysis.profiles import FACTORS, profiles

Array = NDArray[np.float64]

AXIS = np.linspace(0, 1, 201)
HALF = 0.5 / 200
"""Half the axis's spacing."""


@dataclass(frozen=True)
class Overlap:
    """How an interval agrees with the truth, as shares of the interval and of the truth."""

    true: float
    found: float


def true_interval(landscape: Landscape, parameter: int, factor: float) -> tuple[float, float]:
    """From which value to which the best reachable steps are within a factor of the least, -1 to 1."""
    coupled = landscape.coupled(AXIS[:, None], AXIS[None, :])
    curve = coupled.min(axis=1 - parameter) if parameter < 2 else landscape.own(parameter, AXIS)
    inside = AXIS[curve - curve.min() <= math.log2(factor)]
    return 2 * float(inside.min() - HALF) - 1, 2 * float(inside.max() + HALF) - 1


def overlap(interval: tuple[float, float], truth: tuple[float, float]) -> Overlap:
    """How they agree; an interval that is a single value agrees if that is in the truth."""
    common = min(interval[1], truth[1]) - max(interval[0], truth[0])
    width = interval[1] - interval[0]
    true = float(common >= 0) if width <= 0 else max(common, 0.0) / width
    return Overlap(true, max(common, 0.0) / (truth[1] - truth[0]))


def overlaps(count: int, *, first_seed: int = 5000) -> Iterator[tuple[float, Overlap, Overlap]]:
    """For each parameter and factor of so many landscapes: the factor, and how the interval and the trials agree."""
    seed = first_seed
    while count > 0:
        seed += 1
        landscape = Landscape.draw(np.random.default_rng(seed))
        if not landscape.can_train:
            continue
        study = search(landscape, seed=seed)
        if len(candidates(study, 5)) < 5:
            continue
        count -= 1
        for index, profile in enumerate(profiles(study, candidates(study, 1)[0].plan.hyperparameters)):
            assert profile.parameter == NAMES[index]
            for each in profile.tolerances:
                truth = true_interval(landscape, index, each.factor)
                yield each.factor, overlap((each.low, each.high), truth), overlap(each.shown, truth)


if __name__ == "__main__":
    tally: dict[tuple[float, str], list[Overlap]] = defaultdict(list)
    for factor, modelled, shown in overlaps(int(sys.argv[1])):
        tally[factor, "from trials alone"].append(shown)
        tally[factor, "with the model"].append(modelled)
    for factor in FACTORS:
        for kind in ("from trials alone", "with the model"):
            found = tally[factor, kind]
            true, known = np.mean([each.true for each in found]), np.mean([each.found for each in found])
            print(f"{factor}x, {kind:18} {true:4.0%} of it true, {known:4.0%} of the truth in it")

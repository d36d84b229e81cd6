"""How true the intervals of `tuner.analysis.sensitivity.profiles` are, on synthetic landscapes with a known profile.

`python -m tests.tuner.analysis.sensitivity.intervals 200` prints, for each factor and for the intervals with and
without the model, the share of the interval that is true and the share of the truth that is in it. Both are averages
over parameters and over landscapes in which at least five trials reached the target. Its figures are in that module.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tests.tuner.analysis.landscapes import NAMES, Landscape, search
from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.sensitivity.profiles import FACTORS, profiles
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.records import StudyRecord, TrialRecord

Array = NDArray[np.float64]

AXIS = np.linspace(0, 1, 201)
UNIT = Range(0.0, 1.0)
NOISES = (0.05, 0.15, 0.3)
"""Standard deviations of log2 steps between seeds, in turn."""
HALF = 0.5 / 200
"""Half the axis's spacing."""


@dataclass(frozen=True)
class Overlap:
    """How an interval agrees with the truth, as shares of the interval and of the truth."""

    true: float
    found: float


def training(landscape: Landscape, study: StudyRecord) -> StudyRecord:
    """A study of a landscape as one of learning rate and momentum: its ridge lies along constant `lr / (1 - m)`."""
    slope = landscape.ridge[1] if landscape.ridge is not None else 1.0
    momentum = Range(0.0, 1 - math.exp(-slope), scale=Scale.REVERSE_LOG)
    ranges = {"learning_rate": Range(1.0, math.e, scale=Scale.LOG), "momentum": momentum, "c": UNIT, "d": UNIT}

    searched = dict(landscape.space.ranges())

    def renamed(each: TrialRecord) -> TrialRecord:
        positions = [searched[name].position(float(each.plan.hyperparameters[name])) for name in NAMES]
        point = {name: limits.at(at) for (name, limits), at in zip(ranges.items(), positions, strict=True)}
        return replace(each, plan=replace(each.plan, hyperparameters=point))

    return replace(study, space=SearchSpace(ranges), trials=tuple(map(renamed, study.trials)))


def true_interval(landscape: Landscape, parameter: int, factor: float) -> tuple[float, float]:
    """From which position to which the best reachable steps are within a factor of the least."""
    coupled = landscape.coupled(AXIS[:, None], AXIS[None, :])
    curve = coupled.min(axis=1 - parameter) if parameter < 2 else landscape.own(parameter, AXIS)
    inside = AXIS[curve - curve.min() <= math.log2(factor)]
    return float(inside.min()) - HALF, float(inside.max()) + HALF


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
        landscape = Landscape.draw(np.random.default_rng(seed), noise=NOISES[seed % len(NOISES)])
        study = training(landscape, search(landscape, seed=seed))
        if len(best_trials(study, 5)) < 5:
            continue
        count -= 1
        best = best_trials(study, 1)[0].plan.hyperparameters
        for index, profile in enumerate(profiles(study, best)):
            for each in profile.tolerances:
                truth = true_interval(landscape, index, each.factor)
                low, high, *shown = map(profile.limits.position, (each.low, each.high, *each.shown))
                yield each.factor, overlap((low, high), truth), overlap((shown[0], shown[1]), truth)


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

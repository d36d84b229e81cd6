"""A lane is the trial trained alone with `torch.optim.SGD`, wherever in the search space it lies."""

import itertools
import math
from collections.abc import Sequence
from functools import partial

import pytest
import torch
from scipy.stats import qmc

from tests.objectives.reference import DEVICES, EASY, curve_alone, curve_in_lane, curves_in_lanes, lane_trainer
from tuner.experiment.space import Range, Scale
from tuner.trial import Measurement, TrialSpec, Value

SPACE = {
    "learning_rate": Range(1e-3, 10, Scale.LOG),
    "momentum": Range(0, 0.999, Scale.REVERSE_LOG),
    "end_factor": Range(1e-4, 1, Scale.LOG),
    "decay_steps": Range(10, 4000, Scale.LOG),
}
STEPS = 100
TOLERANCE = 1e-10
DISTURBANCE = 1e-12
"""Where training is unstable it amplifies rounding: there a lane may be as far off as a start that is off by this."""


def points() -> list[dict[str, Value]]:
    """Every corner of the space, and some points spread over it."""
    corners = list(itertools.product((0.0, 1.0), repeat=4))
    inside = qmc.Sobol(4, seed=0).random(8).tolist()
    return [
        {name: each.at(position) for (name, each), position in zip(SPACE.items(), where, strict=True)}
        for where in [*corners, *inside]
    ]


def worst_distance(curve: Sequence[Measurement], expected: Sequence[Measurement]) -> list[float]:
    """The largest distance up to each measurement."""
    assert [each.step for each in curve] == [each.step for each in expected]
    distances = [distance(*pair) for pair in zip(curve, expected, strict=True)]
    return list(itertools.accumulate(distances, max))


def distance(ours: Measurement, theirs: Measurement) -> float:
    """The largest difference in a metric, relative if it is above 1; what is not finite must be the same."""
    pairs = [(ours.metrics[name], value) for name, value in theirs.metrics.items()]
    finite = [(ours, theirs) for ours, theirs in pairs if math.isfinite(ours) and math.isfinite(theirs)]
    if any(str(ours) != str(theirs) for ours, theirs in pairs if (ours, theirs) not in finite):
        return math.inf
    return max((abs(ours - theirs) / max(abs(theirs), 1.0) for ours, theirs in finite), default=0.0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch_size", [2, 64, 512])
def test_across_the_whole_space_beside_neighbours_that_come_and_go(batch_size: int, device: str) -> None:
    trials = [TrialSpec(seed, point) for seed, point in enumerate(points())]
    trainer = lane_trainer(batch_size, lanes=8, device=device, dtype=torch.float64)

    curves = curves_in_lanes(trainer, trials, steps=STEPS)

    for trial, curve in zip(trials, curves, strict=True):
        alone = partial(curve_alone, trial, batch_size=batch_size, steps=STEPS, dtype=torch.float64)
        expected = alone()
        distances = worst_distance(curve, expected)
        if distances[-1] > TOLERANCE:
            allowed = worst_distance(alone(disturbance=DISTURBANCE), expected)

            assert all(ours <= max(TOLERANCE, most) for ours, most in zip(distances, allowed, strict=True)), trial


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch_size", [8, 64, 512])
def test_the_whole_curve_to_the_target_in_single_precision(batch_size: int, device: str) -> None:
    trial = TrialSpec(1, EASY)
    expected = to_target(curve_alone(trial, batch_size=batch_size, steps=500))
    trainer = lane_trainer(batch_size, lanes=8, device=device)
    trainer.load(3, trial)
    trainer.load(4, TrialSpec(2, EASY))

    curve = to_target(curve_in_lane(trainer, 3, steps=500))

    assert len(curve) == len(expected) < 200
    for ours, theirs in zip(curve, expected, strict=True):
        assert ours.step == theirs.step
        assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-3, abs=1e-5)


def to_target(curve: Sequence[Measurement]) -> list[Measurement]:
    """A curve up to the first validation error below 3 %."""
    missed = list(itertools.takewhile(lambda each: each.metrics["validation/error"] >= 0.03, curve))
    return [*missed, curve[len(missed)]]

"""One training run of the noisy quadratic model: its curve, its steps to target and its final loss."""

import math

import numpy as np
from numpy.typing import ArrayLike

from tuner.analysis.nqm.crossing import FOREVER, Never, Steps
from tuner.analysis.nqm.dynamics import dynamics
from tuner.analysis.nqm.model import Floats, NoisyQuadratic, check_target
from tuner.analysis.nqm.rule import Rule
from tuner.analysis.nqm.schedule import Schedule
from tuner.analysis.nqm.stages import ConstantStage, stages

SGD = Rule()


def steps_to_target(
    model: NoisyQuadratic,
    rule: Rule = SGD,
    *,
    batch_size: float,
    learning_rate: float | Schedule,
    coefficient: float = 0.0,
    target: float,
) -> Steps:
    """The first step after which the expected loss is strictly below the target, or why there is none.

    Args:
        model: The loss and its noise.
        rule: How parameters are updated.
        batch_size: Examples a gradient is averaged over.
        learning_rate: A constant, or a schedule.
        coefficient: Momentum or averaging coefficient, in [0, 1).
        target: The loss to get below.

    Raises:
        ValueError: A value is out of range, or the target is above the initial loss.

    >>> from tuner.analysis.nqm import power_law
    >>> steps_to_target(power_law(), batch_size=1024, learning_rate=1.668, target=0.01)
    10610
    >>> steps_to_target(power_law(), batch_size=64, learning_rate=1.668, target=0.01).sentence
    'never reaches the target: gradient noise holds the loss above it'
    """
    check_target(model, target)
    before = 0
    run = stages(model, rule, batch_size=batch_size, learning_rate=learning_rate, coefficient=coefficient)
    for stage in run:
        if (found := stage.first_below(target)) is not None:
            return before + found
        before += stage.length
    last = run[-1]
    assert isinstance(last, ConstantStage)
    if not last.dynamics.stable:
        return Never.DIVERGES
    return Never.FLOOR if float(last.dynamics.settled_loss) >= target else Never.TOO_SLOW


def expected_loss(
    model: NoisyQuadratic,
    rule: Rule = SGD,
    *,
    steps: ArrayLike,
    batch_size: float,
    learning_rate: float | Schedule,
    coefficient: float = 0.0,
) -> Floats:
    """The expected loss after each number of steps, of the shape of `steps`; infinite where training has diverged.

    Raises:
        ValueError: A value is out of range.
    """
    wanted = np.asarray(steps)
    if np.any((wanted < 0) | (wanted > FOREVER)):
        raise ValueError(f"steps holds {wanted[(wanted < 0) | (wanted > FOREVER)][0]}; give 0 to {FOREVER}")
    losses = np.empty(wanted.shape)
    before = 0
    for stage in stages(model, rule, batch_size=batch_size, learning_rate=learning_rate, coefficient=coefficient):
        within = (wanted >= before) & (wanted - before <= stage.length)
        losses[within] = stage.loss(wanted[within] - before)
        before += stage.length
    return capped(losses)


def steady_state_risk(
    model: NoisyQuadratic,
    rule: Rule = SGD,
    *,
    batch_size: float,
    learning_rate: float,
    coefficient: float = 0.0,
) -> float:
    """The limit of the expected loss; infinite if training diverges.

    Raises:
        ValueError: A value is out of range.
    """
    settled = dynamics(model, rule, batch_size=batch_size, learning_rate=learning_rate, coefficient=coefficient)
    return float(settled.settled_loss) if settled.stable else math.inf


def capped(losses: Floats) -> Floats:
    """Losses, with infinity in place of losses above 1e60, at which the closed form is not accurate any more."""
    return np.where(np.isfinite(losses) & (losses < 1e60), losses, np.inf)

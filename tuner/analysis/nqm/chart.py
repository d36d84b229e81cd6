"""Steps to target at the best hyperparameters, from a table: within a few per cent of `optimal`, and much faster.

The loss in units of the target is `difficulty * left(k) + restlessness * gathered(k)`. The remainder of the start
and the noise gathered after `k` steps depend on the spectrum and the hyperparameters only. So one scan of the
hyperparameters serves every start, noise scale and batch size. The table is interpolated by cubic splines. Beyond its
largest restlessness steps are proportional to it, and below its smallest they do not depend on it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import RectBivariateSpline

from tuner.analysis.nqm.dynamics import dynamics, observe, starting_moments
from tuner.analysis.nqm.model import Floats, NoisyQuadratic, power_law
from tuner.analysis.nqm.rule import Method, Rule

DIFFICULTIES = np.arange(1.0, 17.0)
"""Initial loss over target, log2."""
RESTLESSNESS = np.arange(-12.0, 9.0)
"""Inverse of the small learning rate at which the loss would settle at the target, log2."""
_PROBES_AN_OCTAVE = 7
"""Steps at which losses are computed, in each octave. They are whole numbers, as the closed form demands."""
_STEEPEST, _MERGED = 10, 3
"""The steepest modes, which are kept, and how many of the other modes are merged into one."""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """The fewest steps of one spectrum under one rule. Build it with `chart`.

    Attributes:
        table: Log2 steps over difficulty and restlessness.
    """

    table: RectBivariateSpline

    def log_steps(self, difficulty: float, restlessness: Floats) -> Floats:
        """Log2 of the fewest steps at each restlessness."""
        inside = np.clip(restlessness, RESTLESSNESS[0], RESTLESSNESS[-1])
        return np.asarray(
            self.table(np.full_like(inside, difficulty), inside, grid=False) + np.maximum(restlessness - inside, 0.0)
        )


@lru_cache(maxsize=64)
def chart(exponent: float, rule: Rule, *, least: float, most: float, octaves: int) -> Chart:
    """The chart of a power law's spectrum.

    Args:
        exponent: Of the spectrum.
        rule: How parameters are updated.
        least: The least of its coefficient.
        most: The most.
        octaves: Steps are followed up to `2 ** octaves`.
    """
    count = round(2 + np.log2((1 - least) / (1 - most))) if most > least else 1
    probes = np.unique(np.round(np.geomspace(1.0, 2.0**octaves, octaves * _PROBES_AN_OCTAVE + 1)))
    memories = 1 - np.geomspace(1 - least, 1 - most, count)
    model = _thinned(power_law(exponent=exponent))
    rows = [_row(model, rule, float(memory), probes, fine=count == 1) for memory in memories]
    left, gathered = (np.concatenate(each) for each in zip(*rows, strict=True))  # [setting, probe]
    left /= model.initial_loss
    gathered *= 4 / float(model.count @ model.noise)
    log_probes = np.log2(probes)
    steps = [
        [np.min(_crossing(2.0**hard * left + 2.0**noisy * gathered, log_probes)) for noisy in RESTLESSNESS]
        for hard in DIFFICULTIES
    ]
    return Chart(RectBivariateSpline(DIFFICULTIES, RESTLESSNESS, np.array(steps)))


def chart_position(model: NoisyQuadratic, *, target: float) -> tuple[float, float]:
    """The difficulty of a model, and its restlessness at batch size 1, log2."""
    noise = float(model.count @ model.noise)
    return float(np.log2(model.initial_loss / target)), float(np.log2(noise / (4 * target)))


def _thinned(model: NoisyQuadratic) -> NoisyQuadratic:
    """An approximation with fewer modes: neighbours are merged into a mode of their mean curvature."""
    order = np.argsort(-model.curvature)
    first = [*range(_STEEPEST), *range(_STEEPEST, order.size, _MERGED)]
    count = np.add.reduceat(model.count[order], first)
    curvature = np.add.reduceat((model.count * model.curvature)[order], first) / count
    return NoisyQuadratic(curvature, noise=curvature, start=np.ones_like(curvature), count=count)


def _row(model: NoisyQuadratic, rule: Rule, memory: float, probes: Floats, *, fine: bool) -> tuple[Floats, Floats]:
    """The remainder of the start and the gathered noise, at every learning rate of a coefficient, `[rate, probe]`."""
    limit = float(rule.largest_stable_rate(model, memory))
    slowest = 2.0 ** -(RESTLESSNESS[-1] + 3) * ((1 - memory) if rule.method is Method.HEAVY_BALL else 1.0)
    density = 12 if fine else 3
    far = np.geomspace(slowest, 0.7 * limit, round(density * np.log2(limit / slowest)))
    rates = np.concatenate([far, limit * (1 - np.geomspace(0.27, 5e-4, 2 * density))])
    run = dynamics(model, rule, batch_size=1.0, learning_rate=rates, coefficient=memory)
    start = starting_moments(model, rule, memory)
    with np.errstate(under="ignore"):
        waves = run.roots.waves(probes[:, None])  # [probe, rate, mode]
        left = np.einsum("rm,prm->rp", run.weight, observe(run, start, waves))
        released = np.einsum("rm,prm->rp", run.weight, observe(run, run.stationary, waves))
    return left, run.settled_loss[:, None] - released


def _crossing(losses: Floats, probes: Floats) -> Floats:
    """Log2 of the steps at which each row first falls below 1, `[setting]`: an octave after the last probe if never."""
    below = losses < 1
    after = np.argmax(below, axis=1)
    row = np.arange(len(losses))
    before = np.maximum(after - 1, 0)
    high, low = np.log(np.maximum(losses[row, before], 1.0)), np.log(np.maximum(losses[row, after], 1e-30))
    share = np.where(after > 0, high / np.maximum(high - low, 1e-30), 0.0)
    steps = probes[before] + share * (probes[after] - probes[before])
    return np.asarray(np.where(below[row, after], steps, probes[-1] + 1))

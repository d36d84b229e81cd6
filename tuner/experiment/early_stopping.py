"""Early stopping: a curve often shows long before its cap that the trial will not reach the target in time.

Take the best metric so far against steps, on logarithmic axes. The curve has one slope over the last doubling of its
steps, and needs another slope to reach the target by its limit. The trial is hopeless if it needs more than `optimism`
times the slope that it has. At a tenth of their limit, trials that reach the target need at most five
times their slope (one in fifty needs more on noisy curves), and later less. Of the trials that miss the target, half
need more than eight times their slope on the noisy quadratic model, and a quarter on digits.
"""

import math
from collections.abc import Sequence

from tuner.objective import Target
from tuner.trial import Measurement

LOOK_FROM = 0.1
"""A trial is not judged before this share of its limit, because momentum and warm-up make for slow starts."""
GRACE = 20
"""A trial is not judged before this many steps either, because its first steps say little about its slope."""


def is_hopeless(curve: Sequence[Measurement], *, metric: str, target: Target, limit: int, optimism: float) -> bool:
    """Whether a trial that has not reached its target will not do so within its limit.

    Args:
        curve: Its measurements so far.
        metric: The metric of the goal.
        target: What it has to pass.
        limit: The steps that the trial may take.
        optimism: How many times more steeply than before the curve may have to decline; infinite for never hopeless.
    """
    step = curve[-1].step
    if math.isinf(optimism) or step < max(LOOK_FROM * limit, GRACE) or step >= limit:
        return False
    half, at_half, best = None, math.inf, math.inf
    for each in curve:
        if metric in each.metrics:
            distance = _hopeful(each, metric, target)
            best = distance if distance < best else best
            if 2 * each.step <= step:
                half, at_half = each.step, best
    goal = target.distance(target.value)
    if half is None or not goal <= best < math.inf:
        return False
    slope = math.log(at_half / best) / math.log(step / half)
    return math.log(best / goal) / math.log(limit / step) > optimism * slope


def _hopeful(measured: Measurement, metric: str, target: Target) -> float:
    """How far a metric was from its ideal (`Target.distance`).

    An estimate from a part of the examples counts as one standard deviation better than it is, so that chance ends
    hardly any trial. The deviation is that of a share. It is also about right for a mean cross entropy, whose terms
    spread as widely.
    """
    distance = target.distance(measured.metrics[metric])
    examples = measured.partial.get(metric)
    return distance if examples is None else distance - math.sqrt(max(distance, 0.0) / examples)

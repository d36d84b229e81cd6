"""Early stopping: a curve often shows long before its cap that the trial will not reach the target in time.

Take the best metric so far against steps, on logarithmic axes. The curve has one slope over the last doubling of its
steps, and needs another slope to reach the target by its limit. The trial is hopeless if it needs more than `optimism`
times the slope that it has. At a tenth of their limit, trials that reach the target need at most five
times their slope (one in fifty needs more on noisy curves), and later less. Of the trials that miss the target, half
need more than eight times their slope on the noisy quadratic model, and a quarter on digits.

Where the goal is the best value within a budget, the best value so far of all trials stands for the target.
"""

import math
from collections.abc import Callable, Sequence

from tuner.trial import Measurement

LOOK_FROM = 0.1
"""A trial is not judged before this share of its limit, because momentum and warm-up make for slow starts."""
GRACE = 20
"""A trial is not judged before this many steps either, because its first steps say little about its slope."""


def is_hopeless(
    curve: Sequence[Measurement],
    *,
    metric: str,
    distance: Callable[[float], float],
    goal: float,
    limit: int,
    optimism: float,
) -> bool:
    """Whether a trial that has not come as near to the ideal as it has to will not do so within its limit.

    Args:
        curve: Its measurements so far.
        metric: The metric of the goal.
        distance: How far a value of the metric is from the ideal.
        goal: How near it has to come: a positive distance.
        limit: The steps that the trial may take.
        optimism: How many times more steeply than before the curve may have to decline; infinite for never hopeless.
    """
    step = curve[-1].step
    if math.isinf(optimism) or step < max(LOOK_FROM * limit, GRACE) or step >= limit:
        return False
    half, at_half, best = None, math.inf, math.inf
    for each in curve:
        if metric in each.metrics:
            hopeful = _hopeful(distance(each.metrics[metric]), each.partial.get(metric))
            best = hopeful if hopeful < best else best
            if 2 * each.step <= step:
                half, at_half = each.step, best
    if half is None or not goal <= best < math.inf:
        return False
    slope = math.log(at_half / best) / math.log(step / half)
    return math.log(best / goal) / math.log(limit / step) > optimism * slope


def _hopeful(distance: float, examples: int | None) -> float:
    """How far a metric was from its ideal.

    An estimate from a part of the examples counts as one standard deviation better than it is, so that chance ends
    hardly any trial. The deviation is that of a share. It is also about right for a mean cross entropy, whose terms
    spread as widely.
    """
    return distance if examples is None else distance - math.sqrt(max(distance, 0.0) / examples)

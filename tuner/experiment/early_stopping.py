"""Early termination: a curve may show long before its cap that the trial will not reach the target in time.

On logarithmic axes, of the best metric so far against steps, a trial has declined with some slope while its steps last
doubled, and would have to decline with another to reach the target by its limit. It is hopeless if the one needed is
`optimism` times the other. Trials that win need at most five times their slope at a tenth of their limit, and less
later, but for one in fifty on noisy curves; of those that lose, half need more than eight times theirs on the noisy
quadratic model, a quarter on digits.
"""

import math
from collections.abc import Sequence

from tuner.trial import Measurement

LOOK_FROM = 0.1
"""Share of its limit before which a trial is not judged: momentum and warm-up make for slow starts."""
GRACE = 20
"""Steps before which it is not judged either: the first ones say little of a slope."""


def is_hopeless(curve: Sequence[Measurement], *, metric: str, below: float, limit: int, optimism: float) -> bool:
    """Whether a trial that has not reached its target will not do so within its limit.

    Args:
        curve: Its measurements so far.
        metric: The one that counts; positive.
        below: The target.
        limit: Steps it has.
        optimism: How much steeper than before it may have to decline; never hopeless if infinite.
    """
    step = curve[-1].step
    if math.isinf(optimism) or step < max(LOOK_FROM * limit, GRACE) or step >= limit:
        return False
    half = max((each.step for each in curve if 2 * each.step <= step), default=None)
    best = _least(curve, metric, until=step)
    if half is None or not below <= best < math.inf:
        return False
    slope = math.log(_least(curve, metric, until=half) / best) / math.log(step / half)
    return math.log(best / below) / math.log(limit / step) > optimism * slope


def _least(curve: Sequence[Measurement], metric: str, *, until: int) -> float:
    """The best value up to a step, infinite if none was finite."""
    values = (each.metrics[metric] for each in curve if each.step <= until)
    return min((value for value in values if math.isfinite(value)), default=math.inf)

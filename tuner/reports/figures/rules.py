"""The figure of what rules of thumb for the learning rate cost, against batch size."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuner.analysis.hyperparameters import LEARNING_RATE
from tuner.analysis.rules.costs import RuleCost, RuleCosts
from tuner.analysis.rules.points import ThumbRule
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.reports.style import (
    AMBER,
    BLUE,
    MUTED,
    batch_size_axis,
    house_style,
    log_axis,
    new_figure,
    say,
    with_interval,
)

APART = 1.06
"""How far the marks of rules at one batch size stand from each other, as a factor."""
COLORS = {ScalingRule.LINEAR: BLUE, ScalingRule.SQUARE_ROOT: AMBER}


def draw_rules(found: RuleCosts) -> Figure:
    """The ratio of each rule's score to the tuned one, with intervals; where a rule fails, a cross at the top.

    Args:
        found: With at least one rule that has run at one batch size.
    """
    ratios = [end for _, costs in found.costs for each in costs if each.per_seed for end in _ends(each)]
    top = 1.3 * max(*ratios, 1.5)
    with house_style():
        figure = new_figure(7.4, 4.4)
        axes = figure.add_subplot()
        batch_size_axis(axes, [found.base, *found.batch_sizes])
        log_axis(axes, f"{found.unit.ratio}, over the tuned", (min(*ratios, 1.0) / 1.1, 1.15 * top))
        axes.axhline(1, color=MUTED, lw=1, label="tuned", gid="tuned")
        for index, (rule, costs) in enumerate(found.costs):
            shift = APART ** (index - (len(found.costs) - 1) / 2)
            _draw_rule(axes, rule, [each for each in costs if each.per_seed], shift=shift, top=top)
        if any(each.fails for _, costs in found.costs for each in costs):
            axes.plot([], [], "x", color=MUTED, ms=8, mew=2, label=f"half of the seeds or fewer {found.unit.success}")
        axes.legend(loc="best")
    return figure


def _ends(cost: RuleCost) -> list[float]:
    """The numbers that a logarithmic axis shows of a rule at one batch size."""
    ratio = math.inf if cost.ratio is None else cost.ratio
    return [each for each in (cost.low, ratio, cost.high) if 0 < each < math.inf] or [1.0]


def _draw_rule(axes: Axes, rule: ThumbRule, costs: list[RuleCost], *, shift: float, top: float) -> None:
    """The medians of one rule, their intervals, and a cross at the top where it fails."""
    color, is_plain = COLORS[rule.scaling], rule.of == LEARNING_RATE
    reached = [(each, each.ratio) for each in costs if each.ratio is not None and not each.fails]
    for each in costs:
        ends = [min(each.low, top), min(each.high, top)]
        if each.has_interval:
            axes.plot([each.batch_size * shift] * 2, ends, color=color, lw=1.2, alpha=0.6, gid="interval")
    (line,) = axes.plot(
        [each.batch_size * shift for each, _ in reached],
        [ratio for _, ratio in reached],
        "o-" if is_plain else "s--",
        color=color,
        mec="white",
        ms=7,
        lw=1.3,
        label=rule.name,
        gid="rule",
    )
    say(line, (_said(rule, each, ratio) for each, ratio in reached))
    failing = [each.batch_size * shift for each in costs if each.fails]
    axes.plot(failing, [top] * len(failing), "x", color=color, ms=8, mew=2, gid="never")


def _said(rule: ThumbRule, cost: RuleCost, ratio: float) -> str:
    low, high = (cost.low, cost.high) if cost.has_interval else (None, None)
    return f"{rule.name}, batch size {cost.batch_size:,}: {with_interval(ratio, low, high)} times the tuned"

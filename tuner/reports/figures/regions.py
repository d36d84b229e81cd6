"""The figure of the three regions of a scaling curve, over the examples that each batch size takes."""

import math
from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuner.analysis.scaling.bounds import Bound
from tuner.analysis.scaling.curve import ScalingCurve, perfect_scaling
from tuner.analysis.scaling.regions import Regions
from tuner.reports.style import (
    AMBER,
    BLUE,
    INK,
    MUTED,
    batch_size_axis,
    house_style,
    limits_around,
    log_axis,
    new_figure,
    plain,
    say,
    with_interval,
)

NAMES = ("perfect scaling", "diminishing returns", "maximal data parallelism")
COLORS = (BLUE, AMBER, MUTED)
OPACITY = 0.13


def draw_regions(curve: ScalingCurve, found: Regions) -> Figure:
    """Steps to target with the regions shaded, above the examples relative to those of the smallest batch size.

    Args:
        curve: With at least two points that reached the target.
        found: Its regions.
    """
    with house_style():
        figure = new_figure(7.4, 5.6)
        above, below = figure.subplots(2, sharex=True, height_ratios=(2, 1))
        sizes = [each.batch_size for each in curve.reached()]
        _draw_steps(above, curve)
        _draw_examples(below, found)
        for axes in (above, below):
            batch_size_axis(axes, sizes, label=axes is below)
            _shade(axes, found)
        _draw_ends(above, found)
        handles, labels = above.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _draw_steps(axes: Axes, curve: ScalingCurve) -> None:
    """Medians and the spread of their seeds, beside the line of perfect scaling."""
    points = curve.reached()
    sizes, perfect = [each.batch_size for each in points], perfect_scaling(curve)
    seeds = [steps for each in points for steps in (*each.per_seed, each.score) if math.isfinite(steps)]
    log_axis(axes, "steps to target", limits_around([*seeds, perfect[-1]]))
    axes.plot(sizes, perfect, color=MUTED, lw=1.1, ls="--", label="doublings halve the steps", gid="perfect")
    for each in points:
        top = each.high if math.isfinite(each.high) else axes.get_ylim()[1]
        axes.plot([each.batch_size] * 2, [each.low, top], color=BLUE, lw=1.3, gid="spread")
    medians = [each.score for each in points]
    (line,) = axes.plot(
        sizes, medians, "o-", color=BLUE, mec="white", ms=6, lw=1, label="median", gid="median", zorder=5
    )
    say(line, (f"batch size {each.batch_size:,}: {plain(each.score)} steps" for each in points))


def _draw_examples(axes: Axes, found: Regions) -> None:
    """How many times the examples of the smallest batch size each takes, with intervals."""
    sizes, examples = [each.batch_size for each in found.savings], [each.examples for each in found.savings]
    shown = [end for each in examples for end in (each.value, each.low, each.high) if end and math.isfinite(end)]
    log_axis(axes, "times the examples", limits_around(shown))
    axes.axhline(1, color=MUTED, lw=1.1, ls="--", gid="perfect")
    for size, each in zip(sizes, examples, strict=True):
        if each.low is not None and each.high is not None:
            axes.plot([size] * 2, [each.low, min(each.high, axes.get_ylim()[1])], color=BLUE, lw=1.3, gid="interval")
    values = [each.value for each in examples]
    (line,) = axes.plot(sizes, values, "o-", color=BLUE, mec="white", ms=6, lw=1, gid="examples", zorder=5)
    say(line, (_said(*each) for each in zip(sizes, examples, strict=True)))


def _said(batch_size: int, examples: Bound) -> str:
    times = with_interval(examples.value, examples.low, examples.high)
    return f"batch size {batch_size:,}: {times} times the examples"


def _shade(axes: Axes, found: Regions) -> None:
    """A shade for each region that was measured."""
    left, right = axes.get_xlim()
    ends = [left, *(min(each.value, right) for each in (found.perfect_end, found.maximum_useful)), right]
    for name, color, start, end in zip(NAMES, COLORS, ends[:-1], ends[1:], strict=True):
        if start < end and not (start == left and end <= found.smallest):
            axes.axvspan(start, end, color=color, alpha=OPACITY, lw=0, label=name, gid=name, zorder=0)


def _draw_ends(axes: Axes, found: Regions) -> None:
    """Where regions end, with intervals, low in the figure."""
    right, bottom = axes.get_xlim()[1], axes.get_ylim()[0]
    label = "end of a region, with its interval"
    for height, bound in _known(found):
        ends = [end if math.isfinite(end) else right for end in (bound.low, bound.high) if end is not None]
        axes.plot(ends, [bottom * height] * len(ends), color=INK, lw=1.3, gid="end interval", zorder=6)
        axes.plot(bound.value, bottom * height, "|", color=INK, ms=9, mew=1.6, label=label, gid="end", zorder=6)
        label = "_"


def _known(found: Regions) -> Iterator[tuple[float, Bound]]:
    """The ends that were measured, each at its height, as a factor of the lowest."""
    for height, bound in ((1.12, found.perfect_end), (1.28, found.maximum_useful)):
        if bound.is_known:
            yield height, bound

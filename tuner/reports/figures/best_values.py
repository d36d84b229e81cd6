"""The figure of experiments whose goal is the best value within a budget: that value against batch size."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from tuner.analysis.summary import StudyResults
from tuner.experiment.goals import ScoreUnit
from tuner.reports.style import AMBER, BLUE, batch_size_axis, house_style, log_axis, new_figure, say

FEWEST_TICKS = 3
"""So many labels say how far apart two values are."""


def draw_best(studies: Sequence[StudyResults]) -> Figure:
    """The best value at each batch size with its intervals, on the logarithmic scale of its distance from the ideal.

    Args:
        studies: With confirmed winners, at least one of them with a finite score.
    """
    shown = [each for each in studies if each.confirmed is not None and math.isfinite(each.confirmed.score)]
    unit = shown[0].unit
    with house_style():
        figure = new_figure(7.4, 4.7)
        axes = figure.add_subplot()
        batch_size_axis(axes, [each.batch_size for each in shown])
        scores = [score for each in shown for score in _scores(each)]
        limits = min(scores) / 1.15, max(scores) * 1.15
        log_axis(axes, unit.column, limits)
        axes.yaxis.set_major_locator(FixedLocator(_ticks(axes.yaxis, limits)))
        if unit.value(min(scores)) > unit.value(max(scores)):  # so that greater values are higher up
            axes.invert_yaxis()
        axes.yaxis.set_major_formatter(FuncFormatter(lambda score, _: unit.text(score)))
        for each in shown:
            _draw_study(axes, each)
        sizes, medians = [each.batch_size for each in shown], [each.confirmed.score for each in shown if each.confirmed]
        (line,) = axes.plot(
            sizes, medians, "o-", color=BLUE, mec="white", ms=7, lw=1, label="median", gid="median", zorder=5
        )
        pairs = zip(sizes, medians, strict=True)
        say(line, (f"batch size {size:,}: {unit.text(median)}" for size, median in pairs))
        _label_once(axes)
    return figure


def _ticks(axis: Axis, limits: tuple[float, float]) -> list[float]:
    """The ticks of a logarithmic axis between its limits or, if they are few, evenly spaced round scores instead."""
    for found in (axis.get_major_locator().tick_values(*limits), MaxNLocator(nbins=6).tick_values(*limits)):
        within = [float(each) for each in found if limits[0] <= each <= limits[1]]
        if len(within) >= FEWEST_TICKS:
            break
    return within


def _scores(study: StudyResults) -> list[float]:
    """Every finite score that the figure shows of a study."""
    confirmed, repeated = study.confirmed, study.repeated
    if confirmed is None:
        return []
    ends = () if repeated is None else (repeated.low, repeated.high)
    return [each for each in (*confirmed.per_seed, *ends) if math.isfinite(each)]


def _draw_study(axes: Axes, study: StudyResults) -> None:
    """The seeds of one study, and both intervals; an interval without an end goes to that of the axis."""
    confirmed, repeated, size = study.confirmed, study.repeated, study.batch_size
    assert confirmed is not None
    if repeated is not None:
        ends = [repeated.low, repeated.high]
        axes.plot(
            [size] * 2, ends, color=AMBER, lw=5, alpha=0.3, solid_capstyle="butt", label="repeated", gid="repeated"
        )
    seeds = [each for each in confirmed.per_seed if math.isfinite(each)]
    axes.plot([size] * len(seeds), seeds, "_", color=BLUE, alpha=0.55, ms=9, mew=1, gid="seeds")
    top = confirmed.interval.high if math.isfinite(confirmed.interval.high) else max(axes.get_ylim())
    axes.plot([size] * 2, [confirmed.interval.low, top], color=BLUE, lw=1.3, label="over seeds", gid="interval")


def _label_once(axes: Axes) -> None:
    """A legend that names each kind of line once."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(dict(zip(labels, handles, strict=True)).values(), dict.fromkeys(labels), loc="best")


def caption(unit: ScoreUnit) -> str:
    """What to read beside the figure."""
    return (
        f"The {unit.best} within the budget against batch size ({unit.better}), on the scale of {unit.ratio}: "
        "confirmed medians, each reporting seed, and the intervals over seeds and, where they can be estimated, of "
        "repeated experiments."
    )

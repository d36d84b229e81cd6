"""Figures of the space around the optima: how far each parameter may be off, and where training works at all."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from tuner.analysis.optimum.scatters import Scatter
from tuner.analysis.sensitivity.profiles import FACTORS, Tolerance
from tuner.analysis.sensitivity.summary import Sensitivity, StudySensitivity
from tuner.experiment.space import Range, Scale
from tuner.reports.figures.searches import OUTCOME_MARKS, outcome_legend, outcome_words
from tuner.reports.style import BLUE, INK, MUTED, batch_size_axis, house_style, new_figure, plain, say

BARS = ((3.5, 1.0), (7.0, 0.28))
"""Width in points and opacity of the bar for each of `FACTORS`; the narrower is drawn over the wider."""
MARGIN = 0.04
"""Beyond the edges of a range, as a share of it."""
LABELS_ACROSS = 3
"""Of more ticks below a panel every other one has a label: those at the ends would run into its neighbours'."""


def draw_tolerances(found: Sensitivity) -> Figure:
    """The values of each range that allow to come close to the optimum, against batch size; one panel a range."""
    studies = [each for each in found.studies if each.profiles]
    names = list(dict.fromkeys(each.parameter for study in studies for each in study.profiles))
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    with house_style():
        figure = new_figure(7.4 if columns > 1 else 5.2, 2.3 * rows + 0.6)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, name in zip(grid.flat, names, strict=False):
            _draw_parameter(axes, name, studies)
        for axes in grid.flat[len(names) :]:
            axes.set_visible(False)
        figure.supxlabel("batch size", fontsize=9.5)
        bars = [
            Line2D(
                [],
                [],
                color=BLUE,
                lw=width,
                alpha=alpha,
                label=f"within {factor:g}x of its {found.experiment.goal.unit.ratio}",
            )
            for factor, (width, alpha) in zip(FACTORS, BARS, strict=True)
        ]
        optimum = Line2D([], [], ls="", marker="D", ms=4, mfc="white", mec=INK, label="optimum")
        figure.legend(handles=[optimum, *bars], loc="outside upper center", ncols=3)
    return figure


def _draw_parameter(axes: Axes, name: str, studies: Sequence[StudySensitivity]) -> None:
    """One range's intervals at each batch size, and its optima."""
    profiles = {study.batch_size: each for study in studies for each in study.profiles if each.parameter == name}
    optima = {study.batch_size: study.optimum for study in studies}
    sizes = list(profiles)
    batch_size_axis(axes, sizes, label=False)
    axes.set_xticks(sizes[::2] if len(sizes) > 7 else sizes)
    for batch_size, profile in profiles.items():
        for tolerance, (width, alpha) in reversed(list(zip(profile.tolerances, BARS, strict=True))):
            _draw_bar(axes, batch_size, tolerance, scale=profile.limits.scale, width=width, alpha=alpha)
        optimum = profile.limits.scale.forward(float(optima[batch_size][name]))
        axes.plot(batch_size, optimum, "D", ms=4, mfc="white", mec=INK, gid="optimum", zorder=4)
    _range_axis(axes, axes.yaxis, [each.limits for each in profiles.values()])
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_title(name.replace("_", " "))


def _draw_bar(axes: Axes, batch_size: int, tolerance: Tolerance, *, scale: Scale, width: float, alpha: float) -> None:
    """One interval."""
    ends, gid = [scale.forward(each) for each in (tolerance.low, tolerance.high)], f"within {tolerance.factor:g}x"
    axes.plot([batch_size] * 2, ends, color=BLUE, lw=width, alpha=alpha, solid_capstyle="butt", gid=gid)


def draw_scatters(found: Sequence[Scatter]) -> Figure:
    """Every search trial in the plane of learning rate and momentum, one panel a study."""
    columns = min(5, len(found))
    rows = math.ceil(len(found) / columns)
    with house_style():
        figure = new_figure(max(1.9 * columns + 0.6, 5.2), 2.1 * rows + 0.8)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, scatter in zip(grid.flat, found, strict=False):
            _draw_scatter(axes, scatter)
        for axes in grid.flat[len(found) :]:
            axes.set_visible(False)
        first = grid.flat[0]
        _range_axis(first, first.xaxis, [each.learning_rates for each in found])
        _range_axis(first, first.yaxis, [each.momenta for each in found])
        figure.supxlabel("learning rate", fontsize=9.5)
        figure.supylabel("momentum", fontsize=9.5)
        optimum = Line2D([], [], ls="", marker="*", ms=10, color=INK, mec="white", label="optimum")
        contour = Line2D([], [], color=MUTED, lw=0.7, ls=":", label="constant lr / (1 - m), a decade apart")
        figure.legend(handles=[*outcome_legend(found[0].unit), optimum, contour], loc="outside upper center", ncols=3)
    return figure


def _draw_scatter(axes: Axes, scatter: Scatter) -> None:
    """One study's trials, over lines of constant effective learning rate."""
    across, up = scatter.learning_rates.scale.forward, scatter.momenta.scale.forward
    least, most = scatter.effective_learning_rates
    momenta = [scatter.momenta.at(each / 50) for each in range(51)]
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    contours = [[across(10.0**decade * (1 - each)) for each in momenta] for decade in decades]
    heights = [up(each) for each in momenta]
    axes.plot(
        [x for contour in contours for x in (*contour, math.nan)],  # one line with gaps: lines are slow to draw
        [*heights, math.nan] * len(contours),
        color=MUTED,
        lw=0.7,
        ls=":",
        gid="contours",
        zorder=1,
    )
    for outcome, (mark, color) in OUTCOME_MARKS.items():
        rates = [across(each.learning_rate) for each in scatter.trials[outcome]]
        heights = [up(each.momentum) for each in scatter.trials[outcome]]
        (line,) = axes.plot(
            rates, heights, mark, color=color, alpha=0.7, ms=4, mew=1 if mark == "x" else 0, gid=outcome.value
        )
        words, trials = outcome_words(scatter.unit).get(outcome, outcome.value), scatter.trials[outcome]
        say(line, (f"learning rate {each.learning_rate:.4g}, momentum {each.momentum:.4g}: {words}" for each in trials))
    if scatter.optimum is not None:
        best = across(scatter.optimum.learning_rate), up(scatter.optimum.momentum)
        axes.plot(*best, "*", ms=12, color=INK, mec="white", mew=0.8, gid="optimum", zorder=5)
    axes.set_title(f"batch size {plain(scatter.batch_size)}")


def _range_axis(axes: Axes, axis: Axis, ranges: Sequence[Range]) -> None:
    """An axis on the scale of some ranges, all of one scale: from the least to the greatest value of any."""
    scale = ranges[0].scale
    low, high = min(each.low for each in ranges), max(each.high for each in ranges)
    start, end = scale.forward(low), scale.forward(high)
    margin = MARGIN * (end - start)
    set_limits = axes.set_xlim if axis is axes.xaxis else axes.set_ylim
    set_limits(start - margin, end + margin)
    if scale is not Scale.LINEAR:
        ticks = [each for each in _round_values(scale, start, end) if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]
        coordinates = [scale.forward(each) for each in ticks]
        crowded = axis is axes.xaxis and len(ticks) > LABELS_ACROSS
        axis.set_major_locator(FixedLocator(coordinates[1::2] if crowded else coordinates))  # off the first end
        axis.set_minor_locator(FixedLocator(coordinates if crowded else []))
    axis.set_major_formatter(FuncFormatter(lambda coordinate, _: f"{scale.backward(coordinate):.5g}"))


def _round_values(scale: Scale, start: float, end: float) -> list[float]:
    """Powers of ten between two coordinates, or what they leave of 1; every other one if there are many."""
    decades = [each / math.log(10) for each in (start, end)]
    powers = range(math.floor(decades[0]), math.ceil(decades[1]) + 1)
    thinned = powers[:: 2 if len(powers) > 6 else 1]
    return [10.0**each if scale is Scale.LOG else 1 - 10.0**-each for each in thinned]

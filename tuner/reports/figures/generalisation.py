"""The figure of generalisation: what held-out examples show of tuned winners, against batch size."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tuner.analysis.generalisation import Generalisation, HeldOut
from tuner.reports.style import AMBER, BLUE, batch_size_axis, house_style, new_figure, plain, say


def draw_generalisation(found: Generalisation) -> Figure:
    """One panel a quantity: seeds, medians with their intervals, and the line through them."""
    with house_style():
        figure = new_figure(7.4, 3.4 if len(found.quantities) > 1 else 3.8)
        grid = figure.subplots(1, len(found.quantities), squeeze=False)
        for axes, quantity in zip(grid.flat, found.quantities, strict=True):
            _draw_quantity(axes, quantity)
        figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)
    return figure


def _draw_quantity(axes: Axes, quantity: HeldOut) -> None:
    """One quantity."""
    sizes = [each.batch_size for each in quantity.points]
    batch_size_axis(axes, sizes)
    if len(sizes) > 5:
        axes.set_xticks(sizes[:: 2 if len(sizes) <= 10 else 3])
    for each in quantity.points:
        axes.plot([each.batch_size] * len(each.per_seed), each.per_seed, "_", color=BLUE, alpha=0.55, ms=8, gid="seeds")
        if (interval := each.interval) is not None:
            axes.plot([each.batch_size] * 2, [interval.low, interval.high], color=BLUE, lw=1.3, gid="interval")
    middles = [each.middle for each in quantity.points]
    label = "median, interval over seeds"
    (line,) = axes.plot(sizes, middles, "o", color=BLUE, mec="white", ms=6, label=label, gid="median", zorder=5)
    say(line, (f"batch size {plain(size)}: {middle:.4g}" for size, middle in zip(sizes, middles, strict=True)))
    if quantity.trend is not None:
        _draw_trend(axes, sizes, middles, quantity.trend.change)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.set_title(quantity.title)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _draw_trend(axes: Axes, sizes: list[int], middles: list[float], change: float) -> None:
    """The line through medians, over the logarithm of the batch size."""
    logs = np.log2(sizes)
    heights = np.mean(middles) + change * (logs - logs.mean()) / (logs[-1] - logs[0])
    axes.plot(sizes, heights, color=AMBER, lw=1.4, label="line through medians", gid="trend", zorder=2)

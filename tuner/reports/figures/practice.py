"""The figures of what to train with: time against examples to target, and the learning curves of the optima."""

import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from tuner.analysis.practice.choice import Choice
from tuner.analysis.practice.effort import Amount, Way
from tuner.analysis.practice.learning import LearningCurve
from tuner.reports.style import (
    AMBER,
    BLUE,
    INK,
    MUTED,
    RED,
    house_style,
    limits_around,
    log_axis,
    new_figure,
    plain,
    plain_ticks,
    say,
)

COLORS = (BLUE, AMBER, RED, MUTED)
"""Of devices, in order; further ones begin anew."""
RAMP = "viridis_r"
"""Colours of batch sizes, from the smallest to the largest."""


def draw_efforts(choices: Sequence[Choice]) -> Figure:
    """Time to target, or steps where nothing was timed, against examples to target; a line for each device.

    The batch sizes that are worth it are filled and joined, and the advised one has a ring.
    """
    with house_style():
        figure = new_figure(7.4, 4.4)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        label = "seconds to target" if choices[0].device else "steps to target"
        ways = [way for each in choices for way in each.ways]
        log_axis(axes, label, limits_around([end for way in ways for end in _ends(way.pace)]))
        axes.set_xlim(*limits_around([end for way in ways for end in _ends(way.examples)]))
        plain_ticks(axes.xaxis, LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=12))
        axes.set_xlabel("examples to target")
        for index, each in enumerate(choices):
            _draw_choice(axes, each, COLORS[index % len(COLORS)])
        axes.legend(loc="best")
    return figure


def _draw_choice(axes: Axes, choice: Choice, color: str) -> None:
    """The batch sizes of one device."""
    worth = [each for each in choice.ways if each.batch_size in choice.worth]
    for each in choice.ways:
        (left, right), (low, high) = _ends(each.examples), _ends(each.pace)
        x, y = each.examples.value, each.pace.value
        axes.errorbar(x, y, [[y - low], [high - y]], [[x - left], [right - x]], color=color, alpha=0.35, lw=1)
        fill = color if each in worth else "white"
        (point,) = axes.plot(x, y, "o", mfc=fill, mec=color, ms=6, zorder=3, gid="way")
        say(point, [_said(each)])
        axes.annotate(plain(each.batch_size), (x, y), (5, 5), textcoords="offset points", fontsize=8, color=INK)
    line = sorted((each.examples.value, each.pace.value) for each in worth)
    label = choice.device or "batch sizes that are worth it"
    axes.plot([x for x, _ in line], [y for _, y in line], color=color, lw=1.2, label=label, gid="worth", zorder=2)
    way = choice.way
    axes.plot(way.examples.value, way.pace.value, "o", mfc="none", mec=color, ms=13, gid="advised", zorder=4)


def _said(way: Way) -> str:
    """What a page says of a batch size."""
    pace = f"{way.steps.value:,.0f} steps" if way.seconds is None else f"{way.seconds.value:.3g} s"
    return f"batch size {way.batch_size:,}: {pace}, {way.examples.value:,.0f} examples"


def _ends(amount: Amount) -> tuple[float, float]:
    """An interval that can be drawn."""
    return amount.low, amount.high if math.isfinite(amount.high) else amount.value


def draw_learning(
    curves: Sequence[LearningCurve], *, metric: str, target: float | None, seconds: Mapping[int, float]
) -> Figure:
    """The metric at the tuned optima against steps, examples and, where steps were timed, seconds.

    Args:
        curves: The smallest batch size first.
        metric: What is drawn.
        target: Its target, if there is one.
        seconds: Of a step, by batch size; empty if nothing was timed.
    """
    panels = ["steps", "examples", *(["seconds of training"] if seconds else [])]
    with house_style():
        figure = new_figure(7.4, 3.4)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        shown = [each for curve in curves for each in (*curve.best, *curve.worst) if math.isfinite(each)]
        log_axis(grid[0], metric, limits_around([*shown, *([target] if target else [])]))
        for axes, label in zip(grid, panels, strict=True):
            axes.set_xscale("log")
            axes.set_xlabel(label)
            axes.grid(axis="y")
            if target is not None:
                axes.axhline(target, color=MUTED, lw=1, ls="--", gid="target")
        ramp = matplotlib.colormaps[RAMP]
        for index, curve in enumerate(curves):
            color = ramp(0.1 + 0.9 * index / max(1, len(curves) - 1))
            factors = (1, curve.batch_size, *([seconds[curve.batch_size]] if curve.batch_size in seconds else []))
            for axes, factor in zip(grid, factors, strict=False):
                x = [step * factor for step in curve.steps]
                axes.fill_between(x, curve.best, curve.worst, color=color, alpha=0.15, lw=0)
                axes.plot(x, curve.middle, color=color, lw=0.9, ls=":", gid="middle")
                whole = np.where(curve.are_whole, curve.middle, np.nan)
                axes.plot(x, whole, ".-", color=color, lw=1.4, ms=2, label=plain(curve.batch_size), gid="whole")
        for axes in grid:
            plain_ticks(axes.xaxis, LogLocator(base=10, numticks=5))
        handles, labels = grid[0].get_legend_handles_labels()
        columns = {"ncols": min(10, len(labels)), "columnspacing": 1.2, "handlelength": 1.2}
        figure.legend(handles, labels, loc="outside upper center", title="batch size", **columns)
    return figure

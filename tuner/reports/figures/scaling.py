"""The figure of steps to target against batch size."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuner.analysis.scaling.curve import NotFitted, ScalingCurve, ScalingFit, perfect_scaling
from tuner.reports.style import (
    AMBER,
    BLUE,
    MUTED,
    RED,
    batch_size_axis,
    house_style,
    limits_around,
    log_axis,
    new_figure,
    plain,
    say,
)


def draw_scaling(
    curve: ScalingCurve,
    fit: ScalingFit | NotFitted,
    *,
    budgets: Mapping[int, int],
    model: ScalingCurve | None = None,
) -> Figure:
    """Steps to target against batch size, with perfect scaling, the fit and the critical batch size.

    Args:
        curve: Measured or predicted; at least one point, reached or not.
        fit: Its fit.
        budgets: Steps at which each batch size that never reached the target is marked.
        model: Another curve to lay over it.
    """
    with house_style():
        figure = new_figure(7.4, 4.7)
        axes = figure.add_subplot()
        batch_sizes = sorted({each.batch_size for each in curve.points} | set(curve.unreached))
        batch_size_axis(axes, batch_sizes)
        modelled = [each.score for each in model.reached()] if model is not None else []
        log_axis(axes, "steps to target", limits_around(_all_steps(curve, budgets) + modelled))
        if isinstance(fit, ScalingFit):
            _draw_fit(axes, fit, batch_sizes)
        _draw_perfect(axes, curve)
        if model is not None:
            _draw_model(axes, model)
        _draw_points(axes, curve)
        if curve.unreached:
            marks = [budgets[size] for size in curve.unreached]
            limit = f"{plain(marks[0])} steps" if len(set(marks)) == 1 else "its budget"
            label = f"target not reached within {limit}"
            axes.plot(curve.unreached, marks, "^", mfc="white", mec=RED, ms=8, label=label, gid="unreached", zorder=4)
        axes.legend(loc="best")
    return figure


def _all_steps(curve: ScalingCurve, budgets: Mapping[int, int]) -> list[float]:
    """Every finite number of steps that the figure must show."""
    steps = [steps for each in curve.reached() for steps in (*each.per_seed, each.score) if math.isfinite(steps)]
    return steps + [budgets[size] for size in curve.unreached]


def _draw_fit(axes: Axes, fit: ScalingFit, batch_sizes: Sequence[int]) -> None:
    """The fitted curve, and the critical batch size with its interval where they lie in the figure."""
    sizes = np.geomspace(min(batch_sizes) / 1.3, max(batch_sizes) * 1.3, 200)
    axes.plot(sizes, [fit.steps(each) for each in sizes], color=AMBER, lw=1.6, label="fit", gid="fit", zorder=2)
    left, right = axes.get_xlim()
    if left < fit.critical_batch_size < right:
        interval = ""
        if fit.low is not None and fit.high is not None:
            axes.axvspan(max(fit.low, left), min(fit.high, right), color=AMBER, alpha=0.13, lw=0, gid="interval")
            interval = f" ({fit.low:,.0f} to {fit.high:,.0f})"
        label = f"critical batch size {fit.critical_batch_size:,.0f}{interval}"
        axes.axvline(fit.critical_batch_size, color=AMBER, lw=1, ls=(0, (2, 2)), label=label, gid="critical")


def _draw_perfect(axes: Axes, curve: ScalingCurve) -> None:
    """The line on which doubling the batch halves the steps."""
    sizes = [each.batch_size for each in curve.reached()]
    if len(sizes) > 1:
        axes.plot(sizes, perfect_scaling(curve), color=MUTED, lw=1.1, ls="--", label="perfect scaling", gid="perfect")


def _draw_model(axes: Axes, model: ScalingCurve) -> None:
    """What the noisy quadratic model takes."""
    sizes, steps = [each.batch_size for each in model.reached()], [each.score for each in model.reached()]
    axes.plot(sizes, steps, "o-", color=RED, lw=1.4, ms=3, label="noisy quadratic model, fitted", gid="model", zorder=3)


def _draw_points(axes: Axes, curve: ScalingCurve) -> None:
    """Medians, each with its seeds and their spread; an arrow where a seed did not reach the target."""
    reached = curve.reached()
    if not reached:
        return
    for each in reached:
        seeds = [steps for steps in each.per_seed if math.isfinite(steps)]
        (line,) = axes.plot(
            [each.batch_size] * len(seeds), seeds, "_", color=BLUE, alpha=0.55, ms=9, mew=1, gid="seeds"
        )
        say(line, (f"batch size {each.batch_size:,}, one seed: {plain(steps)} steps" for steps in seeds))
        top = each.high if math.isfinite(each.high) else axes.get_ylim()[1]
        axes.plot([each.batch_size] * 2, [each.low, top], color=BLUE, lw=1.3, gid="spread")
        if not math.isfinite(each.high):
            axes.plot(each.batch_size, top, "^", color=BLUE, ms=6, clip_on=False, gid="unbounded")
    label = "median, low to high over seeds" if any(each.per_seed for each in reached) else "predicted"
    (line,) = axes.plot(
        [each.batch_size for each in reached],
        [each.score for each in reached],
        "o",
        color=BLUE,
        mec="white",
        ms=7,
        label=label,
        gid="median",
        zorder=5,
    )
    say(line, (f"batch size {each.batch_size:,}: {plain(each.score)} steps" for each in reached))

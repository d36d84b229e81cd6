"""Figures: each draws one value of the analysis and computes nothing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, MOMENTUM
from tuner.analysis.optimum.slices import SearchView
from tuner.analysis.scaling.curve import NotFitted, ScalingCurve, ScalingFit, perfect_scaling
from tuner.analysis.scaling.optima import Optima
from tuner.analysis.summary import StudyResults
from tuner.reports.style import (
    AMBER,
    BLUE,
    MUTED,
    RED,
    batch_size_axis,
    house_style,
    log_axis,
    new_figure,
    plain,
    plain_ticks,
)
from tuner.trial import Outcome

NAMES = {
    LEARNING_RATE: "learning rate",
    MOMENTUM: "1 - momentum",
    EFFECTIVE_LEARNING_RATE: "effective learning rate",
}
"""What figures call a hyperparameter; momentum is drawn as `1 - m`, the scale on which it matters."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure, its file name without suffix, and what to read beside it."""

    name: str
    figure: Figure
    alternative: str
    caption: str


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
        modelled = [each.steps for each in model.reached()] if model is not None else []
        log_axis(axes, "steps to target", _limits(_all_steps(curve, budgets) + modelled))
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
    steps = [steps for each in curve.reached() for steps in (*each.per_seed, each.steps) if math.isfinite(steps)]
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
    sizes, steps = [each.batch_size for each in model.reached()], [each.steps for each in model.reached()]
    axes.plot(sizes, steps, "o-", color=RED, lw=1.4, ms=3, label="noisy quadratic model, fitted", gid="model", zorder=3)


def _draw_points(axes: Axes, curve: ScalingCurve) -> None:
    """Medians, each with its seeds and their spread; an arrow where a seed did not reach the target."""
    reached = curve.reached()
    if not reached:
        return
    for each in reached:
        seeds = [steps for steps in each.per_seed if math.isfinite(steps)]
        axes.plot([each.batch_size] * len(seeds), seeds, "_", color=BLUE, alpha=0.55, ms=9, mew=1, gid="seeds")
        top = each.high if math.isfinite(each.high) else axes.get_ylim()[1]
        axes.plot([each.batch_size] * 2, [each.low, top], color=BLUE, lw=1.3, gid="spread")
        if not math.isfinite(each.high):
            axes.plot(each.batch_size, top, "^", color=BLUE, ms=6, clip_on=False, gid="unbounded")
    label = "median, low to high over seeds" if any(each.per_seed for each in reached) else "predicted"
    axes.plot(
        [each.batch_size for each in reached],
        [each.steps for each in reached],
        "o",
        color=BLUE,
        mec="white",
        ms=7,
        label=label,
        gid="median",
        zorder=5,
    )


def draw_optima(optima: Optima) -> Figure:
    """One hyperparameter at the optimum against batch size, with the rules of thumb that are about it."""
    with house_style():
        figure = new_figure(4.6, 3.7)
        axes = figure.add_subplot()
        shown = [1 - each for each in optima.values] if optima.name == MOMENTUM else list(optima.values)
        batch_size_axis(axes, optima.batch_sizes)
        log_axis(axes, NAMES[optima.name], _limits(shown))
        _thin_labels(axes, optima.batch_sizes)
        rules = ((optima.linear, "linear rule", "--"), (optima.square_root, "square-root rule", ":"))
        for values, label, line in rules:
            if values:
                axes.plot(optima.batch_sizes, values, color=MUTED, lw=1.3, ls=line, label=label, gid=label)
        axes.plot(optima.batch_sizes, shown, "o-", color=BLUE, mec="white", ms=6, lw=1, label="optimum", gid="optimum")
        axes.legend(loc="best", fontsize=8)
    return figure


def draw_costs(studies: Sequence[StudyResults]) -> Figure:
    """Gradient steps that each study's search and confirmation spent."""
    with house_style():
        figure = new_figure(7.4, 3.2)
        axes = figure.add_subplot()
        positions = np.arange(len(studies))
        search = [each.steps_spent for each in studies]
        confirmation = [each.confirmation_steps_spent for each in studies]
        axes.bar(positions, search, 0.62, color=BLUE, label="search")
        axes.bar(positions, confirmation, 0.62, bottom=search, color=BLUE, alpha=0.35, label="confirmation")
        axes.set_xticks(positions, [plain(each.batch_size) for each in studies])
        axes.set_xlabel("batch size")
        axes.set_ylabel("gradient steps spent")
        axes.yaxis.set_major_formatter(plain)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.tick_params(axis="x", length=0)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return figure


def draw_searches(views: Sequence[SearchView]) -> Figure:
    """Every search trial: steps against the learning rate, one panel a study."""
    columns = min(5, len(views))
    rows = math.ceil(len(views) / columns)
    with house_style():
        figure = new_figure(max(1.9 * columns + 0.6, 7.4), 2.0 * rows + 0.7)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        steps = [each.steps for view in views for each in view.trials]
        for axes, view in zip(grid.flat, views, strict=False):
            axes.set_xscale("log")
            log_axis(axes, "", _limits(steps))
            _draw_search(axes, view)
        plain_ticks(grid.flat[0].xaxis, LogLocator(numticks=5))  # of all panels, as they share it
        for axes in grid.flat[len(views) :]:
            axes.set_visible(False)
        figure.supxlabel(NAMES[views[0].parameter], fontsize=9.5)
        figure.supylabel("steps", fontsize=9.5)
        figure.legend(handles=outcome_legend(), loc="outside upper center", ncols=3)
    return figure


OUTCOME_MARKS = {
    Outcome.ACHIEVED: ("o", BLUE, "reached the target"),
    Outcome.CENSORED: ("^", AMBER, "cut at its cap or budget"),
    Outcome.INFEASIBLE: ("x", RED, "diverged"),
}


def _draw_search(axes: Axes, view: SearchView) -> None:
    """One study's trials, marked by how they ended."""
    for outcome, (mark, color, _) in OUTCOME_MARKS.items():
        trials = view.having(outcome)
        values, steps = [each.value for each in trials], [each.steps for each in trials]
        axes.plot(values, steps, mark, color=color, alpha=0.65, ms=4, mew=1 if mark == "x" else 0, gid=outcome.value)
    axes.set_title(f"batch size {plain(view.batch_size)}")


def outcome_legend() -> list[Line2D]:
    """One entry for each outcome."""
    return [
        Line2D([], [], ls="", marker=mark, color=color, mew=1 if mark == "x" else 0, label=label)
        for mark, color, label in OUTCOME_MARKS.values()
    ]


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Limits of a logarithmic axis that show these values with some air."""
    positive = [each for each in values if each > 0] or [1.0]
    return min(positive) / 1.5, max(positive) * 1.5


def _thin_labels(axes: Axes, batch_sizes: Sequence[int]) -> None:
    """Every other label if there are many, so that small figures stay readable."""
    if len(batch_sizes) > 7:
        axes.set_xticks(list(batch_sizes[::2]))

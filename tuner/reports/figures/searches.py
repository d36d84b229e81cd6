"""The figures of how searches went: every trial, and what they cost."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from tuner.analysis.optimum.slices import SearchedTrial, SearchView
from tuner.analysis.summary import StudyResults
from tuner.experiment.goals import ScoreUnit
from tuner.reports.figures.optima import NAMES
from tuner.reports.style import (
    AMBER,
    BLUE,
    RED,
    house_style,
    limits_around,
    log_axis,
    new_figure,
    plain,
    plain_ticks,
    say,
)
from tuner.trial import Outcome


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
    """Every search trial: steps, or the best value of its metric, against the learning rate; one panel a study."""
    columns = min(5, len(views))
    rows = math.ceil(len(views) / columns)
    with house_style():
        figure = new_figure(max(1.9 * columns + 0.6, 7.4), 2.0 * rows + 0.7)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        heights = [each.height for view in views for each in view.trials]
        for axes, view in zip(grid.flat, views, strict=False):
            axes.set_xscale("log")
            log_axis(axes, "", limits_around(heights))
            _draw_search(axes, view)
        plain_ticks(grid.flat[0].xaxis, LogLocator(numticks=5))  # of all panels, as they share it
        for axes in grid.flat[len(views) :]:
            axes.set_visible(False)
        figure.supxlabel(NAMES[views[0].parameter], fontsize=9.5)
        figure.supylabel(views[0].unit.ratio, fontsize=9.5)
        figure.legend(handles=outcome_legend(views[0].unit), loc="outside upper center", ncols=3)
    return figure


OUTCOME_MARKS = {
    Outcome.ACHIEVED: ("o", BLUE),
    Outcome.FINISHED: ("o", BLUE),
    Outcome.CENSORED: ("^", AMBER),
    Outcome.INFEASIBLE: ("x", RED),
}


def _draw_search(axes: Axes, view: SearchView) -> None:
    """One study's trials, marked by how they ended."""
    for outcome, (mark, color) in OUTCOME_MARKS.items():
        trials = view.having(outcome)
        values, heights = [each.value for each in trials], [each.height for each in trials]
        (line,) = axes.plot(
            values, heights, mark, color=color, alpha=0.65, ms=4, mew=1 if mark == "x" else 0, gid=outcome.value
        )
        say(line, (_told(view, each) for each in trials))
    axes.set_title(f"batch size {plain(view.batch_size)}")


def _told(view: SearchView, trial: SearchedTrial) -> str:
    """A trial in words."""
    ended = outcome_words(view.unit).get(trial.outcome, trial.outcome.value)
    return f"{NAMES[view.parameter]} {trial.value:.4g}, {view.unit.ratio} {trial.height:,.4g}: {ended}"


def outcome_words(unit: ScoreUnit) -> dict[Outcome, str]:
    """What is said of trials by how they ended, where scores count this."""
    return {unit.outcome: unit.success, Outcome.CENSORED: unit.cut, Outcome.INFEASIBLE: "diverged"}


def outcome_legend(unit: ScoreUnit) -> list[Line2D]:
    """One entry for each outcome of the trials, whose scores count this."""
    marks = ((label, *OUTCOME_MARKS[outcome]) for outcome, label in outcome_words(unit).items())
    return [
        Line2D([], [], ls="", marker=mark, color=color, mew=1 if mark == "x" else 0, label=label)
        for label, mark, color in marks
    ]

"""Figures of several curves over the batch size: for other targets and metrics, and for fixed budgets."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from tuner.analysis.curves.budgets import BudgetLine, FixedBudgets, Kind
from tuner.analysis.curves.choices import Choice, Choices
from tuner.analysis.scaling.bounds import Bound
from tuner.reports.style import (
    AMBER,
    BLUE,
    INK,
    MUTED,
    RED,
    batch_size_axis,
    house_style,
    limits_around,
    log_axis,
    new_figure,
    plain,
    plain_ticks,
    say,
    with_interval,
)

WEAKER = ("#5b8cc4", "#8fb3da", "#bdd3ea")
"""Of weaker targets of the goal's metric, the hardest first; further ones are as the last."""
OTHERS = (AMBER, RED, "#4c8c5a", "#7a5aa6", "#a8863a", MUTED)
"""Of other metrics, again from the first if there are more."""


FARTHEST = 30
"""Intervals are drawn up to this factor beyond the critical batch sizes themselves."""

NARROW = 300
"""An axis over a smaller factor has ticks between the powers of ten."""


def draw_choices(found: Choices) -> Figure:
    """Steps to each target and metric against batch size, beside the critical batch size of each."""
    every = found.every
    colors = _colors(every)
    with house_style():
        figure = new_figure(7.4, max(3.6, 0.36 * len(every) + 1.6))
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        sizes = sorted({each.batch_size for choice in every for each in choice.curve.points})
        batch_size_axis(left, sizes[:: 2 if len(sizes) > 7 else 1])
        left.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
        log_axis(left, "steps", limits_around([each.score for choice in every for each in choice.curve.reached()]))
        for choice, color in zip(every, colors, strict=True):
            _draw_curve(left, choice, color, is_own=choice is found.own)
        _draw_critical(right, every, colors)
        right.set_yticks(range(len(every)), [_label(each) for each in every], fontsize=8.5)
    return figure


def _label(choice: Choice) -> str:
    """A choice and whose trials it is about."""
    return f"{choice.phrase} (search)" if choice.is_tuned else choice.phrase


def _colors(every: Sequence[Choice]) -> list[str]:
    """The goal in the colour of medians, its weaker targets paler, and each other metric in one of its own."""
    colors, weaker, others = [BLUE, BLUE], 0, 0
    for each in every[2:]:
        if each.metric == every[0].metric:
            colors.append(WEAKER[min(weaker, len(WEAKER) - 1)])
            weaker += 1
        else:
            colors.append(OTHERS[others % len(OTHERS)])
            others += 1
    return colors


def _draw_curve(axes: Axes, choice: Choice, color: str, *, is_own: bool) -> None:
    """The medians of one choice; hollow where they rest on estimates."""
    points = choice.curve.reached()
    (line,) = axes.plot(
        [each.batch_size for each in points],
        [each.score for each in points],
        "o",
        color=color,
        mfc="white" if choice.estimated else color,
        ls="-" if is_own or not choice.is_tuned else "--",
        ms=5,
        lw=1.8 if is_own else 1.1,
        gid=choice.phrase,
        zorder=5 if is_own else 3,
    )
    say(line, (f"{_label(choice)}, batch size {each.batch_size:,}: {plain(each.score)} steps" for each in points))


def _draw_critical(axes: Axes, every: Sequence[Choice], colors: Sequence[str]) -> None:
    """The critical batch size of each choice with its interval, one above the other."""
    axes.set_xscale("log")
    known = [each.critical for each in every if each.critical is not None]
    middle = [each.value for each in known]
    if middle:  # intervals that go on and on are cut
        least, most = min(middle) / FARTHEST, max(middle) * FARTHEST
        shown = [end for each in known for end in (each.value, each.low, each.high) if end is not None]
        axes.set_xlim(limits_around([min(max(each, least), most) for each in shown]))
    for row, (choice, color) in enumerate(zip(every, colors, strict=True)):
        if choice.critical is None:
            continue
        ends = [each for each in (choice.critical.low, choice.critical.high) if each is not None]
        axes.plot(ends, [row] * len(ends), color=color, lw=1.6, gid="interval")
        fill = "white" if choice.estimated else color
        (point,) = axes.plot(choice.critical.value, row, "o", color=color, mfc=fill, ms=6, gid="critical")
        critical = with_interval(choice.critical.value, choice.critical.low, choice.critical.high)
        say(point, [f"{_label(choice)}: critical batch size {critical}"])
        if choice.is_other:
            axes.plot(choice.critical.value, row, "o", color=INK, mfc="none", ms=11, gid="moved")
    for choice, line in zip(every[:2], ((0, (2, 2)), (0, (1, 3))), strict=True):
        if choice.critical is not None:
            axes.axvline(choice.critical.value, color=MUTED, lw=1, ls=line, gid="own")
    axes.set_ylim(len(every) - 0.5, -0.5)
    axes.yaxis.tick_right()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    left, right = axes.get_xlim()
    plain_ticks(axes.xaxis, LogLocator(base=10, subs=(1.0, 3.0) if right / left < NARROW else (1.0,), numticks=6))
    axes.set_xlabel("critical batch size")


SHADES = ("#bdd3ea", "#8fb3da", "#5b8cc4", BLUE, "#173f6b")
"""Of budgets, the largest last."""


def draw_budgets(found: FixedBudgets) -> Figure:
    """The best values against batch size: at several budgets in steps, and beside them at several in examples.

    Args:
        found: With at least one budget, which has a value.
    """
    kinds = [kind for kind in Kind if found.of(kind)]
    with house_style():
        figure = new_figure(7.4 if len(kinds) > 1 else 5.2, 4.4)
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        for axes, kind in zip(panels, kinds, strict=True):
            _draw_budgets(axes, found.of(kind), found)
            axes.set_title(_title(kind, found))
        first = panels[0]
        scores = [score for line in found.lines for score in _scores(line)]
        log_axis(first, found.metric, limits_around(scores))
        if found.value(min(scores)) > found.value(max(scores)):  # so that greater values are higher up
            first.invert_yaxis()
        first.yaxis.set_major_formatter(FuncFormatter(lambda score, _: f"{found.value(score):.4g}"))
        for axes in panels:
            axes.grid(axis="y")
            if found.best:
                axes.axhline(found.best, color=MUTED, lw=1, ls=(0, (2, 2)), gid="target")
    return figure


def _title(kind: Kind, found: FixedBudgets) -> str:
    if kind is Kind.STEPS:
        return "fixed number of steps"
    return "fixed number of examples" if found.train_examples is None else "fixed number of epochs"


def budget_phrase(line: BudgetLine, found: FixedBudgets) -> str:
    """A budget for a person: `1,000 steps`, `64,000 examples` or `2.5 epochs`."""
    if line.kind is Kind.STEPS or found.train_examples is None:
        return f"{line.budget:,} {line.kind}"
    epochs = float(f"{line.budget / found.train_examples:.2g}")
    return f"{plain(epochs)} epoch{'s' * (epochs != 1)}"


def _scores(line: BudgetLine) -> list[float]:
    """Every score that the figure shows of a budget."""
    reported = [each.reported for each in line.points if each.reported is not None]
    ends = [end for each in reported for end in (each.value, each.low, each.high) if end is not None]
    return [each.searched for each in line.points if each.searched is not None] + ends


def _draw_budgets(axes: Axes, lines: Sequence[BudgetLine], found: FixedBudgets) -> None:
    """The budgets of one kind: dashed the best search trials, markers with intervals the reporting seeds."""
    sizes = sorted({each.batch_size for line in lines for each in line.points})
    batch_size_axis(axes, sizes)
    axes.set_xticks(sizes[:: 2 if len(sizes) > 7 else 1])
    for line, color in zip(lines, SHADES[-len(lines) :], strict=True):
        searched = [(each.batch_size, each.searched) for each in line.points if each.searched is not None]
        axes.plot(*zip(*searched, strict=True), ls="--", color=color, lw=1.1, gid=f"searched {line.budget}")
        known = [(each.batch_size, each.reported) for each in line.points if each.reported is not None]
        for size, each in known:
            ends = [end for end in (each.low, each.high) if end is not None]
            axes.plot([size] * len(ends), ends, color=color, lw=1.3, gid="interval")
        medians = [each.value for _, each in known]
        label = budget_phrase(line, found)
        sizes = [size for size, _ in known]
        (marks,) = axes.plot(sizes, medians, "o", color=color, mec="white", ms=5.5, label=label, gid=label)
        say(marks, (_budget_said(label, size, each, found) for size, each in known))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=8)


def _budget_said(budget: str, batch_size: int, score: Bound, found: FixedBudgets) -> str:
    """What the pointer shows of a budget; the ends of an interval of scores are in the order of values."""
    ends = sorted(found.value(each) for each in (score.low, score.high) if each is not None)
    low, high = ends if len(ends) == 2 else (None, None)
    return f"{budget}, batch size {batch_size:,}: {found.metric} {with_interval(found.value(score.value), low, high)}"

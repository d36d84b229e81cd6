"""The figures of a comparison: all curves in one, the same relative to their beginnings, and their ratios."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tuner.analysis.comparison import Compared, Comparison, Contrast, Quantity, Verdict
from tuner.analysis.scaling.curve import ScalingFit, perfect_scaling
from tuner.reports.comparison.wording import VERDICTS
from tuner.reports.figures import Drawing
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

LOOKS = (
    *((BLUE, "o"), (AMBER, "s"), ("#4a9a63", "D"), (RED, "v"), ("#9070c0", "^"), ("#2f9aa5", "P"), ("#a07d45", "X")),
    ("#7d8896", "*"),
)
"""The colour and the mark of each experiment, in the order in which they are named."""
LONGEST_LABEL = 28
"""Letters of a name in a figure."""
BESIDE, ALONE = (4.9, 4.1), (7.4, 4.5)
"""Inches of a figure that has another beside it, and of one that has none."""
APART = 1.035
"""The factor by which the points of two experiments at the same batch size lie apart."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How an experiment is drawn."""

    color: str
    mark: str
    shift: float

    @classmethod
    def all(cls, count: int) -> list["_Look"]:
        """Those of so many experiments."""
        middle = (count - 1) / 2
        return [cls(*each, APART ** (2 * (at - middle))) for at, each in enumerate(LOOKS[:count])]


def drawings(found: Comparison) -> Iterator[Drawing]:
    """Every figure that there is something for."""
    unit = found.unit
    if not any(each.curve.reached() for each in found.experiments):
        return
    name = "scaling" if unit.counts_steps else "best"
    caption = f"The {unit.best} against batch size: medians with the range over reporting seeds"
    yield Drawing(
        name=name,
        figure=draw_curves(found),
        alternative=f"The {unit.subject} of each experiment against batch size, both logarithmic",
        caption=f"{caption}, and the fits with their critical batch sizes (dotted)."
        if unit.counts_steps
        else f"{caption}.",
    )
    if unit.counts_steps:
        yield Drawing(
            name="normalised",
            figure=draw_normalised(found),
            alternative="Steps to target over those at the smallest batch size of each experiment, against batch size",
            caption="The same, over the steps at each one's smallest batch size: the longer a curve stays at perfect "
            "scaling, the larger the batches that pay.",
        )
    scores = [each for each in found.contrasts if each.quantity is Quantity.SCORE and each.over_seeds is not None]
    if scores:
        yield Drawing(
            name="ratios",
            figure=draw_ratios(found, scores),
            alternative=f"Ratio of {unit.ratio} to that of {found.names[0]} at each batch size, with intervals",
            caption=f"The ratio of {unit.ratio} to that of {found.names[0]}: below 1 is better. Thin: 95 % "
            "interval over seeds; wide: over repeated experiments, where it is known. Filled: beyond both.",
        )


def draw_curves(found: Comparison) -> Figure:
    """Scores against batch size, an experiment in a colour."""
    unit = found.unit
    with house_style():
        figure = new_figure(*(BESIDE if unit.counts_steps else ALONE))
        axes = figure.add_subplot()
        batch_size_axis(axes, found.batch_sizes)
        log_axis(axes, unit.column if not unit.counts_steps else unit.subject, limits_around(_heights(found)))
        _thin(axes, found.batch_sizes)
        if not unit.counts_steps:
            _show_values(axes, found)
        for each, look in zip(found.experiments, _Look.all(len(found.experiments)), strict=True):
            _draw_spreads(axes, each, look, over=1.0)
            _draw_line(axes, each, look, over=1.0)
            _draw_unreached(axes, each, look)
        axes.legend(loc="best")
    return figure


def draw_normalised(found: Comparison) -> Figure:
    """Steps over those at the smallest batch size of each experiment, with perfect scaling."""
    begun = [each for each in found.experiments if each.curve.reached()]
    looks = dict(zip(found.names, _Look.all(len(found.experiments)), strict=True))
    with house_style():
        figure = new_figure(*BESIDE)
        axes = figure.add_subplot()
        batch_size_axis(axes, found.batch_sizes)
        firsts = {each.name: each.curve.reached()[0].score for each in begun}
        heights = [point.score / firsts[each.name] for each in begun for point in each.curve.reached()]
        log_axis(axes, "steps over those at the smallest batch size", limits_around(heights))
        _thin(axes, found.batch_sizes)
        _draw_perfect(axes, begun)
        for each in begun:
            _draw_spreads(axes, each, looks[each.name], over=firsts[each.name])
            _draw_line(axes, each, looks[each.name], over=firsts[each.name])
        axes.legend(loc="best")
    return figure


def draw_ratios(found: Comparison, scores: Sequence[Contrast]) -> Figure:
    """The ratio of scores to those of the first experiment at each batch size, with its intervals."""
    looks = dict(zip(found.names, _Look.all(len(found.experiments)), strict=True))
    with house_style():
        figure = new_figure(6.4, 3.8)
        axes = figure.add_subplot()
        batch_size_axis(axes, sorted({each.batch_size for each in scores if each.batch_size is not None}))
        heights = [1.0, *(end for each in scores for end in _ends(each) if 0 < end < math.inf)]
        log_axis(axes, f"{found.unit.ratio} / that of {_short(found.names[0])}", limits_around(heights))
        axes.axhline(1, color=MUTED, lw=1.1, ls="--", label=f"as {_short(found.names[0])}", gid="equal")
        named: set[str] = set()
        for each in scores:
            _draw_ratio(axes, each, looks[each.of], label="" if each.of in named else _short(each.of))
            named.add(each.of)
        axes.legend(loc="best")
    return figure


def _draw_ratio(axes: Axes, each: Contrast, look: _Look, *, label: str) -> None:
    """One ratio; its mark is filled where it is beyond both intervals."""
    assert each.batch_size is not None
    assert each.ratio is not None
    assert each.over_seeds is not None
    x, (bottom, top) = each.batch_size * look.shift, axes.get_ylim()
    if each.repeated is not None:
        ends = [max(each.repeated.low, bottom), min(each.repeated.high, top)]
        axes.plot([x, x], ends, color=look.color, lw=6, alpha=0.25, solid_capstyle="butt", gid="repeated")
    ends = [max(each.over_seeds.low, bottom), min(each.over_seeds.high, top)]
    axes.plot([x, x], ends, color=look.color, lw=1.3, gid="seeds")
    fill = look.color if each.verdict is Verdict.BEYOND else "white"
    (line,) = axes.plot(
        x, each.ratio, look.mark, color=look.color, mfc=fill, ms=7, ls="", label=label or None, gid="ratio"
    )
    say(line, [f"{each.of}, batch size {each.batch_size:,}: {each.ratio:.2f}, {VERDICTS[each.verdict]}"])


def _ends(each: Contrast) -> list[float]:
    """The ends of its intervals."""
    return [end for known in (each.over_seeds, each.repeated) if known is not None for end in (known.low, known.high)]


def _heights(found: Comparison) -> list[float]:
    """Every finite score that the figure must show, and the budgets at which the target was not reached."""
    points = [point for each in found.experiments for point in each.curve.reached()]
    seeds = [score for point in points for score in (*point.per_seed, point.score) if math.isfinite(score)]
    return seeds + [height for each in found.experiments for height in _budgets(each)]


def _budgets(each: Compared) -> list[int]:
    """The budget at each batch size that did not reach the target; none if scores are no steps."""
    goal = each.record.experiment.goal
    return [goal.at(size).within_steps for size in each.curve.unreached] if goal.unit.counts_steps else []


def _draw_spreads(axes: Axes, each: Compared, look: _Look, *, over: float) -> None:
    """The range over reporting seeds at each batch size; it goes to the top where a seed has no score."""
    for point in each.curve.reached():
        top = point.high / over if math.isfinite(point.high) else axes.get_ylim()[1]
        x = point.batch_size * look.shift
        axes.plot([x, x], [point.low / over, top], color=look.color, lw=1.2, alpha=0.7, gid="spread")


def _draw_line(axes: Axes, each: Compared, look: _Look, *, over: float) -> None:
    """Medians, and the fit with its critical batch size, or else a line through the medians."""
    points = each.curve.reached()
    sizes, heights = [point.batch_size for point in points], [point.score / over for point in points]
    is_fitted = isinstance(each.fit, ScalingFit)
    shifted = [size * look.shift for size in sizes]
    (medians,) = axes.plot(
        shifted,
        heights,
        look.mark,
        color=look.color,
        mec="white",
        ms=7,
        ls="" if is_fitted else "-",
        lw=1.2,
        label=_short(each.name),
        gid=each.name,
        zorder=5,
    )
    unit = each.record.experiment.goal.unit
    say(medians, (f"{each.name}, batch size {size:,}: {unit.text(each.scores[size])}" for size in sizes))
    if isinstance(each.fit, ScalingFit):
        grid = np.geomspace(min(sizes) / 1.2, max(sizes) * 1.2, 200)
        axes.plot(grid, [each.fit.steps(size) / over for size in grid], color=look.color, lw=1.3, gid="fit", zorder=3)
        left, right = axes.get_xlim()
        if left < each.fit.critical_batch_size < right:
            axes.axvline(each.fit.critical_batch_size, color=look.color, lw=1.1, ls=":", gid="critical")


def _draw_unreached(axes: Axes, each: Compared, look: _Look) -> None:
    """Where the target was not reached within the budget."""
    budgets = _budgets(each)
    if budgets:
        label = f"{_short(each.name)}: not reached in its budget"
        sizes = [size * look.shift for size in each.curve.unreached]
        axes.plot(sizes, budgets, "^", mfc="white", mec=look.color, ms=8, label=label, gid="unreached", zorder=4)


def _draw_perfect(axes: Axes, begun: Sequence[Compared]) -> None:
    """Perfect scaling from each smallest batch size."""
    longest: dict[int, tuple[list[int], list[float]]] = {}
    for each in begun:
        points, perfect = each.curve.reached(), perfect_scaling(each.curve)
        line = [point.batch_size for point in points], [steps / points[0].score for steps in perfect]
        known = longest.get(points[0].batch_size)
        if known is None or known[0][-1] < line[0][-1]:
            longest[points[0].batch_size] = line
    for at, line in enumerate(longest.values()):
        label = None if at else "perfect scaling"
        axes.plot(*line, color=MUTED, lw=1.1, ls="--", label=label, gid="perfect")


def _show_values(axes: Axes, found: Comparison) -> None:
    """An axis of scores that shows the metric's values, the better ones where they are greater or lower."""
    unit, heights = found.unit, _heights(found)
    if unit.value(min(heights)) > unit.value(max(heights)):
        axes.invert_yaxis()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda score, _: unit.text(score)))


def _thin(axes: Axes, batch_sizes: Sequence[int]) -> None:
    """Fewer labels if there are many, so that small figures stay readable."""
    if len(batch_sizes) > 7:
        axes.set_xticks(list(batch_sizes[::2]), [plain(each) for each in batch_sizes[::2]])


def _short(name: str) -> str:
    """A name that leaves room for the figure."""
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"

"""The figures of what the optima look like, against batch size and along the way."""

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from tuner.analysis.diagnoses.answers import Diagnoses
from tuner.analysis.diagnoses.studies import StudyDiagnosis
from tuner.analysis.scaling.curve import ScalingFit
from tuner.objective.diagnostics import Diagnostic, eigenvalue
from tuner.reports.style import (
    AMBER,
    BLUE,
    MUTED,
    batch_size_axis,
    house_style,
    limits_around,
    log_axis,
    new_figure,
    plain_ticks,
    say,
    with_interval,
)

PANELS = (
    (Diagnostic.SHARPNESS, "sharpness"),
    (eigenvalue(1), "largest eigenvalue"),
    (Diagnostic.TRACE, "trace of the Hessian"),
)


def draw_at_end(found: Diagnoses) -> Figure:
    """Sharpness, largest eigenvalue and trace where the trials ended, against batch size."""
    with house_style():
        figure = new_figure(9.6, 3.4)
        for axes, (name, label) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            _draw(axes, found.studies, name, label)
    return figure


def draw_noise(found: Diagnoses) -> Figure:
    """The noise scale where the trials ended, and the critical batch size with its interval."""
    with house_style():
        figure = new_figure(7.4, 3.8)
        axes = figure.add_subplot()
        beside = []
        if isinstance(found.critical, ScalingFit) and not found.critical.is_extrapolated:
            critical = found.critical
            beside = [critical.critical_batch_size]
            axes.axhline(critical.critical_batch_size, color=AMBER, lw=1.3, label="critical batch size", gid="critical")
            if critical.low is not None and critical.high is not None:
                axes.axhspan(critical.low, critical.high, color=AMBER, alpha=0.15, lw=0)
        _draw(axes, found.studies, Diagnostic.NOISE_SCALE, "noise scale", beside)
        axes.legend(loc="best")
    return figure


def draw_distances(found: Diagnoses) -> Figure:
    """The distance from the start against the steps, of the first trial of each batch size."""
    with house_style():
        figure = new_figure(7.4, 4.2)
        axes = figure.add_subplot()
        shown = [each for each in found.studies if each.paths and each.paths[0].distances]
        shades = colormaps["viridis"]
        for index, study in enumerate(shown):
            distances = study.paths[0].distances
            color = shades(0.9 * index / max(1, len(shown) - 1))
            axes.plot(list(distances), list(distances.values()), color=color, lw=1.2, label=f"{study.batch_size:,}")
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, LogLocator(base=10))
        axes.set_xlabel("steps")
        axes.set_ylabel("distance from the start")
        axes.set_ylim(bottom=0)
        axes.legend(loc="best", title="batch size", fontsize=8, ncols=2)
    return figure


def _draw(axes: Axes, studies: Sequence[StudyDiagnosis], name: str, label: str, beside: Sequence[float] = ()) -> None:
    """Medians over seeds of one diagnostic, and their ranges."""
    key = name.removeprefix("diagnosis/")
    spreads = [(each.batch_size, each.at_end[key]) for each in studies if key in each.at_end]
    known = [(size, each) for size, each in spreads if 0 < each.median < math.inf]
    sizes = [each.batch_size for each in studies]
    batch_size_axis(axes, sizes)
    if len(sizes) > 5:
        axes.set_xticks(sizes[::2] if len(sizes) <= 7 else sizes[::3])
    ends = [end for _, each in known for end in (each.low, each.median, each.high) if 0 < end < math.inf]
    low, high = limits_around([*ends, *beside])
    log_axis(axes, label, (low, high))
    for size, each in known:
        axes.plot([size] * 2, [max(each.low, low), min(each.high, high)], color=MUTED, lw=1.2, gid="range")
    medians = [each.median for _, each in known]
    (line,) = axes.plot(
        [size for size, _ in known], medians, "o-", color=BLUE, mec="white", ms=6, lw=1, label=label, gid="medians"
    )
    say(
        line,
        (f"batch size {size:,}: {label} {with_interval(each.median, each.low, each.high)}" for size, each in known),
    )

"""The figures of hyperparameters at the optimum."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, MOMENTUM
from tuner.analysis.scaling.optima import Optima
from tuner.reports.style import BLUE, MUTED, batch_size_axis, house_style, limits_around, log_axis, new_figure, say

NAMES = {
    LEARNING_RATE: "learning rate",
    MOMENTUM: "1 - momentum",
    EFFECTIVE_LEARNING_RATE: "effective learning rate",
}
"""What figures call a hyperparameter; momentum is drawn as `1 - m`, the scale on which it matters."""


def draw_optima(optima: Optima) -> Figure:
    """One hyperparameter at the optimum against batch size, with the rules of thumb that are about it."""
    with house_style():
        figure = new_figure(4.6, 3.7)
        axes = figure.add_subplot()
        shown = [1 - each for each in optima.values] if optima.name == MOMENTUM else list(optima.values)
        batch_size_axis(axes, optima.batch_sizes)
        log_axis(axes, NAMES[optima.name], limits_around(shown))
        _thin_labels(axes, optima.batch_sizes)
        rules = ((optima.linear, "linear rule", "--"), (optima.square_root, "square-root rule", ":"))
        for values, label, dashes in rules:
            if values:
                axes.plot(optima.batch_sizes, values, color=MUTED, lw=1.3, ls=dashes, label=label, gid=label)
        (line,) = axes.plot(
            optima.batch_sizes, shown, "o-", color=BLUE, mec="white", ms=6, lw=1, label="optimum", gid="optimum"
        )
        pairs = zip(optima.batch_sizes, shown, strict=True)
        say(line, (f"batch size {size:,}: {NAMES[optima.name]} {value:.4g}" for size, value in pairs))
        axes.legend(loc="best", fontsize=8)
    return figure


def _thin_labels(axes: Axes, batch_sizes: Sequence[int]) -> None:
    """Every other label if there are many, so that small figures stay readable."""
    if len(batch_sizes) > 7:
        axes.set_xticks(list(batch_sizes[::2]))

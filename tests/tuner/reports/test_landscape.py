import math
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tests.tuner.synthetic import digits, experiment_record
from tuner.analysis.optimum.scatters import Scatter
from tuner.experiment.space import Range
from tuner.reports.figures.landscape import draw_scatters, draw_tolerances
from tuner.reports.findings import Findings, findings
from tuner.trial import Outcome


@pytest.fixture(scope="module")
def found() -> Findings:
    return findings(experiment_record(digits(batch_sizes=[4, 32, 256])))


def lines(figure: Figure, gid: str) -> list[Line2D]:
    """The lines of a figure that carry a mark."""
    return [line for axes in figure.axes for line in axes.get_lines() if line.get_gid() == gid]


def heights(line: Line2D) -> list[float]:
    return [float(each) for each in np.asarray(line.get_ydata())]


def test_every_interval_is_drawn_on_its_parameters_own_scale(found: Findings) -> None:
    figure = draw_tolerances(found.sensitivity())

    for index, factor in enumerate((1.1, 2.0)):
        drawn = sorted(heights(each) for each in lines(figure, f"within {factor:g}x"))
        assert drawn == sorted(
            [profile.limits.scale.forward(end) for end in (tolerance.low, tolerance.high)]
            for study in found.sensitivity().studies
            for profile in study.profiles
            for tolerance in [profile.tolerances[index]]
        )


def test_a_panel_shows_the_whole_range_and_names_values_not_coordinates(found: Findings) -> None:
    figure = draw_tolerances(found.sensitivity())
    figure.canvas.draw()
    momentum = next(each for each in figure.axes if each.get_title("left") == "momentum")

    assert [each.get_text() for each in momentum.get_yticklabels()] == ["0", "0.9", "0.99", "0.999"]
    assert momentum.get_ylim()[0] < 0 < -math.log(1 - 0.999) < momentum.get_ylim()[1]


def test_every_trial_and_optimum_is_in_the_plane(found: Findings) -> None:
    figure = draw_scatters(found.scatters)

    for outcome in Outcome:
        drawn = sum(len(heights(each)) for each in lines(figure, outcome.value))
        assert drawn == sum(len(each.trials[outcome]) for each in found.scatters)
    assert len(lines(figure, "optimum")) == 3


def test_contours_are_straight_where_both_scales_are_logarithmic(found: Findings) -> None:
    for contours in lines(draw_scatters(found.scatters), "contours"):
        rates, momenta = np.asarray(contours.get_xdata()), np.asarray(contours.get_ydata())
        decades = (rates + momenta)[np.isfinite(momenta)] / math.log(10)  # log10 of lr / (1 - m)
        assert decades == pytest.approx(decades.round(), abs=1e-9)
        assert np.unique(decades.round()).size == np.isnan(momenta).sum() > 1


def test_more_momentum_is_higher_and_larger_rates_are_to_the_right(found: Findings) -> None:
    first = draw_scatters(found.scatters).axes[0]

    assert first.get_xlim()[0] < first.get_xlim()[1]
    assert first.get_ylim()[0] < first.get_ylim()[1]


def test_labels_of_neighbouring_panels_do_not_touch(found: Findings) -> None:
    figure = draw_scatters(found.scatters)
    figure.canvas.draw()

    for left, right in pairwise(figure.axes):
        ends = [label.get_window_extent() for axes in (left, right) for label in axes.get_xticklabels()]
        assert all(b.x0 - a.x1 > a.height for a, b in pairwise(ends))
    assert [each.get_text() for each in figure.axes[0].get_xticklabels()] == ["0.01", "1"]
    assert len(figure.axes[0].xaxis.get_minorticklocs()) == 3  # the other decades


def test_linear_ranges_have_linear_axes() -> None:
    plane = Scatter(8, Range(0.1, 0.9), Range(0.0, 0.5), dict.fromkeys(Outcome, ()), None, digits().goal.unit)
    figure = draw_scatters([plane])
    figure.canvas.draw()

    assert "0.2" in [each.get_text() for each in figure.axes[0].get_xticklabels()]
    assert lines(figure, "optimum") == []

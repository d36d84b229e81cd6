import math
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tests.tuner.synthetic import digits, experiment_record
from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint, fit, perfect_scaling
from tuner.analysis.scaling.optima import Optima
from tuner.reports.drawings import drawings
from tuner.reports.figures import Drawing, draw_costs, draw_optima, draw_scaling, draw_searches
from tuner.reports.findings import Findings, findings
from tuner.reports.style import plain
from tuner.trial import Outcome

CURVE = ScalingCurve(
    points=(
        ScalingPoint(4, 900.0, (850.0, 900.0, math.inf), {}),
        ScalingPoint(16, 260.0, (230.0, 260.0, 300.0), {}),
        ScalingPoint(64, 90.0, (80.0, 90.0, 100.0), {}),
        ScalingPoint(256, 55.0, (50.0, 55.0, 60.0), {}),
    ),
    unreached=(2,),
)


@pytest.fixture(scope="module")
def found() -> Findings:
    return findings(experiment_record(digits(batch_sizes=[4, 32, 256])))


def lines(figure: Figure, gid: str) -> list[Line2D]:
    """The lines of a figure that carry a mark."""
    return [line for axes in figure.axes for line in axes.get_lines() if line.get_gid() == gid]


def data(line: Line2D) -> tuple[list[float], list[float]]:
    """What a line shows."""
    return list(map(float, np.asarray(line.get_xdata()))), list(map(float, np.asarray(line.get_ydata())))


def scaling() -> Figure:
    return draw_scaling(CURVE, fit(CURVE), budgets=dict.fromkeys(CURVE.unreached, 4000))


def test_the_medians_drawn_are_the_curves() -> None:
    (medians,) = lines(scaling(), "median")

    assert data(medians) == ([4, 16, 64, 256], [900, 260, 90, 55])


def test_perfect_scaling_drawn_is_the_analysis() -> None:
    (line,) = lines(scaling(), "perfect")

    assert data(line)[0] == [4, 16, 64, 256]
    assert data(line)[1] == pytest.approx(perfect_scaling(CURVE))


def test_the_fit_drawn_is_the_analysis() -> None:
    fitted = fit(CURVE)
    (line,) = lines(scaling(), "fit")

    sizes, steps = data(line)

    assert steps == pytest.approx([fitted.steps(size) for size in sizes])  # type: ignore[union-attr]


def test_the_critical_batch_size_is_marked_where_the_fit_puts_it() -> None:
    (line,) = lines(scaling(), "critical")

    assert data(line)[0] == pytest.approx([fit(CURVE).critical_batch_size] * 2)  # type: ignore[union-attr]


def test_each_seed_that_reached_the_target_is_drawn() -> None:
    assert [data(each)[1] for each in lines(scaling(), "seeds")] == [
        [850, 900],
        [230, 260, 300],
        [80, 90, 100],
        [50, 55, 60],
    ]


def test_a_spread_without_end_has_an_arrow_at_the_top() -> None:
    figure = scaling()

    (arrow,) = lines(figure, "unbounded")

    assert data(arrow)[0] == [4]
    assert data(arrow)[1] == pytest.approx([figure.axes[0].get_ylim()[1]])


def test_studies_that_did_not_reach_the_target_are_marked_at_the_budget() -> None:
    (marks,) = lines(scaling(), "unreached")

    assert data(marks) == ([2], [4000])


def test_everything_drawn_is_within_the_axes() -> None:
    axes: Axes = scaling().axes[0]

    assert axes.get_ylim()[0] < 50
    assert axes.get_ylim()[1] > 4000
    assert axes.get_xlim()[0] < 2
    assert axes.get_xlim()[1] > 256


def test_a_predicted_curve_is_drawn_without_seeds() -> None:
    curve = ScalingCurve(tuple(ScalingPoint(size, 20 * (1 + 64 / size), (), {}) for size in (4, 32, 256)))

    figure = draw_scaling(curve, fit(curve), budgets={})

    assert all(len(data(each)[0]) == 0 for each in lines(figure, "seeds"))
    assert "predicted" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]  # type: ignore[union-attr]


def test_batch_sizes_are_labelled_in_plain_numbers() -> None:
    figure = scaling()
    figure.canvas.draw()

    assert [each.get_text() for each in figure.axes[0].get_xticklabels()] == ["2", "4", "16", "64", "256"]


def test_rules_are_drawn_beside_the_optimum() -> None:
    optima = Optima("learning_rate", (4, 16), (0.1, 0.3), (0.1, 0.4), (0.1, 0.2))

    figure = draw_optima(optima)

    assert data(lines(figure, "optimum")[0]) == ([4, 16], [0.1, 0.3])
    assert data(lines(figure, "linear rule")[0])[1] == [0.1, 0.4]
    assert data(lines(figure, "square-root rule")[0])[1] == [0.1, 0.2]


def test_momentum_is_drawn_as_its_distance_from_one_and_without_rules() -> None:
    figure = draw_optima(Optima("momentum", (4, 16), (0.9, 0.5)))

    assert data(lines(figure, "optimum")[0])[1] == pytest.approx([0.1, 0.5])
    assert lines(figure, "linear rule") == []


def test_costs_stack_search_and_confirmation(found: Findings) -> None:
    bars = draw_costs(found.results.studies).axes[0].patches

    heights = [bar.get_height() for bar in bars]  # type: ignore[attr-defined]

    assert heights == [
        *(each.steps_spent for each in found.results.studies),
        *(each.confirmation_steps_spent for each in found.results.studies),
    ]


def test_every_search_trial_is_drawn_by_its_outcome(found: Findings) -> None:
    figure = draw_searches(found.searches)

    for outcome in Outcome:
        drawn = sum(len(data(each)[0]) for each in lines(figure, outcome.value))
        assert drawn == sum(len(view.having(outcome)) for view in found.searches)
    assert sum(len(view.trials) for view in found.searches) == 150


def test_an_experiment_has_a_figure_for_everything_it_found(found: Findings) -> None:
    names = [each.name for each in drawings(found)]

    optima = ["learning_rate", "momentum", "effective_learning_rate"]
    assert names[:4] == ["scaling", *optima]
    assert names[-4:] == ["tolerances", "scatters", "searches", "costs"]


def test_every_figure_is_a_valid_svg(found: Findings, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("figures")

    def root(drawing: Drawing) -> str:
        drawing.figure.savefig(folder / f"{drawing.name}.svg")
        return ElementTree.parse(folder / f"{drawing.name}.svg").getroot().tag

    assert {root(each) for each in drawings(found)} == {"{http://www.w3.org/2000/svg}svg"}


@pytest.mark.parametrize(
    ("number", "text"),
    [(1024.0, "1,024"), (2.0, "2"), (2.5, "2.5"), (0.03, "0.03"), (0.00002, "2e-05"), (250.4, "250")],
)
def test_numbers_are_plain(number: float, text: str) -> None:
    assert plain(number) == text

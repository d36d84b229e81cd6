import math

import numpy as np
import pytest

from tests.tuner.reports.hovering import hovering
from tests.tuner.synthetic import Workload, digits, experiment_record
from tuner.analysis.scaling.regions import regions
from tuner.reports.findings import Findings, findings
from tuner.reports.sections.regions import regions_section
from tuner.reports.style import with_interval


@pytest.fixture(scope="module")
def found() -> Findings:
    return findings(experiment_record(digits()))


def test_the_answer_names_both_ends_and_what_the_largest_batch_size_saves(found: Findings) -> None:
    section = regions_section(found)
    answer = regions(found.curve)

    assert section is not None
    assert answer is not None
    assert f"Perfect scaling ends at about batch size {answer.perfect_end.value:,.0f} (95 % interval" in section.answer
    assert f"The maximum useful batch size is about {answer.maximum_useful.value:,.0f} (95 %" in section.answer
    assert "Batch size 1,024 takes " in section.answer
    assert section.values == answer.to_json()
    assert [row[0] for row in section.tables[0].rows] == [f"{each.batch_size:,}" for each in answer.savings]


def test_the_figure_shades_the_regions_where_they_are(found: Findings) -> None:
    section = regions_section(found)
    answer = regions(found.curve)
    assert section is not None
    assert answer is not None

    above, below = section.drawings[0].figure.axes

    for axes in (above, below):
        shades = {each.get_gid(): each.get_window_extent() for each in axes.patches if each.get_gid()}
        assert set(shades) == {"perfect scaling", "diminishing returns", "maximal data parallelism"}
        start, end = (axes.transData.inverted().transform(p)[0] for p in shades["diminishing returns"].get_points())
        assert (start, end) == pytest.approx((answer.perfect_end.value, answer.maximum_useful.value), rel=1e-3)
    (examples,) = (each for each in below.get_lines() if each.get_gid() == "examples")
    assert list(np.asarray(examples.get_ydata())) == pytest.approx([each.examples.value for each in answer.savings])


def test_points_tell_steps_and_examples(found: Findings) -> None:
    section = regions_section(found)
    assert section is not None

    said = hovering(section.drawings[0])

    sizes = [f"batch size {each.batch_size:,}" for each in found.curve.reached()]
    assert [each.split(":")[0] for each in said] == sizes * 2
    assert all(each.endswith(" steps") for each in said[: len(sizes)])
    assert said[len(sizes)] == f"{sizes[0]}: 1 (1 to 1) times the examples"


def test_an_interval_may_have_no_end() -> None:
    assert with_interval(64, 40, math.inf) == "64 (40 or more)"
    assert with_interval(2.313, 1.9, 2.7) == "2.31 (1.9 to 2.7)"
    assert with_interval(2, None, None) == "2"


def test_a_curve_that_still_falls_claims_no_maximum() -> None:
    section = regions_section(findings(experiment_record(digits(batch_sizes=[8, 16, 64]), Workload(noise=0.02))))

    assert section is not None
    assert "A maximum useful batch size was not found: larger batches than 64 may save steps." in section.answer


def test_one_batch_size_and_best_values_have_no_regions() -> None:
    one = findings(experiment_record(digits(batch_sizes=[64])))

    assert regions_section(one) is None

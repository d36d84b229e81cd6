import json
from dataclasses import replace

import numpy as np
import pytest

from tests.tuner.synthetic import digits, experiment_record
from tuner.analysis.generalisation import generalisation
from tuner.reports.findings import Findings, findings
from tuner.reports.sections.contract import Section
from tuner.reports.sections.generalisation import generalises


@pytest.fixture(scope="module")
def found() -> Findings:
    return findings(experiment_record(digits(batch_sizes=[4, 32, 256])))


@pytest.fixture(scope="module")
def section(found: Findings) -> Section:
    made = generalises(found)
    assert made is not None
    return made


def test_the_section_draws_and_tells_what_the_analysis_found(found: Findings, section: Section) -> None:
    told = generalisation(found.record)
    assert told is not None
    (quantity,) = told.quantities
    (axes,) = section.drawings[0].figure.axes
    lines = {line.get_gid(): line for line in axes.get_lines()}

    middles = [each.middle for each in quantity.points]
    assert np.asarray(lines["median"].get_ydata()).tolist() == middles
    drawn = np.asarray(lines["trend"].get_ydata())
    assert quantity.trend is not None
    assert drawn[-1] - drawn[0] == pytest.approx(quantity.trend.change)
    assert section.answer == told.verdict
    assert [row[:2] for row in section.tables[0].rows] == [
        (str(each.batch_size), f"{each.middle:.4g}") for each in quantity.points
    ]
    assert (
        json.loads(json.dumps(section.values, allow_nan=False))["measured"] == "when the validation target was reached"
    )


def test_what_differs_from_published_results_is_said(section: Section) -> None:
    assert "97.05 % at batch size 4,096 against 98.27 % at 128" in section.notes[-1]
    assert section.notes[-1].endswith("what is found here does not contradict them.")
    assert any("about the same at all batch sizes" in each for each in section.notes)


def test_an_experiment_without_results_has_no_such_section(found: Findings) -> None:
    assert generalises(replace(found, record=replace(found.record, studies=()))) is None

import re
from dataclasses import replace

import numpy as np

from tests.tuner.analysis.curves.quadratic import Quadratic, quadratic_experiment
from tests.tuner.reports.hovering import hovering
from tuner.analysis.curves.choices import choices
from tuner.reports.findings import findings
from tuner.reports.sections.metrics import metrics_section

GOAL = {"metric": "validation/loss", "below": 0.01, "within_steps": 200_000}


def test_the_section_warns_of_the_choices_that_move_the_critical_batch_size() -> None:
    what = Quadratic(quadratic_experiment(GOAL), noise=0.1)
    record = what.record()

    section = metrics_section(findings(record, curves=what.read))

    answer = choices(record, what.read)
    assert section is not None
    assert answer is not None
    assert section.values == answer.to_json()
    assert section.answer.startswith(
        "Warning: yes. Compared with validation/loss < 0.01, the critical batch size moves"
    )
    for each in answer.moved:
        assert each.move is not None
        assert f"{each.phrase} by the factor {each.move.value:.2g} (" in section.answer
    assert [row[0] for row in section.tables[0].rows] == [each.phrase for each in answer.every]
    left, right = section.drawings[0].figure.axes
    for each in answer.others:
        (line,) = (line for line in left.get_lines() if line.get_gid() == each.phrase)
        assert list(np.asarray(line.get_ydata())) == [point.score for point in each.curve.points]
    assert sum(line.get_gid() == "moved" for line in right.get_lines()) == len(answer.moved)
    said = hovering(section.drawings[0])
    assert any(re.fullmatch(r"validation/loss < 0\.01, batch size 64: [\d,]+ steps", each) for each in said)
    assert any(re.fullmatch(r"validation/loss < 0\.01: critical batch size \S+ \(\S+ to \S+\)", each) for each in said)


def test_there_is_no_section_without_curves() -> None:
    what = Quadratic(quadratic_experiment(GOAL, batch_sizes=(64, 1024)))
    record = what.record()

    assert metrics_section(findings(record)) is None
    assert metrics_section(findings(record, curves=what.read)) is None  # two batch sizes have no fit
    assert metrics_section(findings(replace(record, studies=()), curves=what.read)) is None

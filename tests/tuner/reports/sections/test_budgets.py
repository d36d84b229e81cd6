import re

import numpy as np

from tests.tuner.analysis.curves.quadratic import Quadratic, quadratic_experiment
from tests.tuner.reports.hovering import hovering
from tuner.analysis.curves.budgets import Kind, fixed_budgets
from tuner.reports.findings import findings
from tuner.reports.sections.budgets import budgets_section

BEST = {"metric": "validation/loss", "best": "lowest", "within_steps": 400}


def test_the_section_says_who_wins_within_steps_and_within_examples() -> None:
    what = Quadratic(quadratic_experiment({"metric": "validation/loss", "below": 0.01, "within_steps": 200_000}))
    record = what.record()

    section = budgets_section(findings(record, curves=what.read))

    answer = fixed_budgets(record, what.read)
    assert section is not None
    assert answer is not None
    assert section.values == answer.to_json()
    assert "At a fixed number of steps, large batches win: the largest batch size is better" in section.answer
    assert "At a fixed number of examples, small batches win: the smallest is better" in section.answer
    assert len(section.tables[0].rows) == len(answer.lines)
    panels = section.drawings[0].figure.axes
    for axes, kind in zip(panels, Kind, strict=True):
        for line in answer.of(kind):
            (drawn,) = (each for each in axes.get_lines() if each.get_gid() == f"searched {line.budget}")
            assert list(np.asarray(drawn.get_ydata())) == [each.searched for each in line.points if each.searched]
    said = hovering(section.drawings[0])
    budget, value = r"[\d,.]+ (steps|examples|epochs?)", r"validation/loss [\d.e-]+( \(\S+ to \S+\))?"
    assert said
    assert [each for each in said if not re.fullmatch(rf"{budget}, batch size [\d,]+: {value}", each)] == []


def test_there_is_no_section_without_curves() -> None:
    record = Quadratic(quadratic_experiment(BEST, batch_sizes=(64, 1024))).record()

    assert budgets_section(findings(record)) is None

"""What is printed of results shows what there is, and explains what it shows."""

import io
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from tests.tuner.synthetic import Workload, digits, experiment_record, study
from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict
from tuner.analysis.sensitivity.summary import sensitivity
from tuner.analysis.summary import Edges, results
from tuner.cli import printing, tables
from tuner.experiment.space import Side
from tuner.records import ExperimentRecord, StudyRecord

WHOLE = experiment_record(digits(batch_sizes=[4, 32]))
SEARCHED = Workload().search(WHOLE.experiment, 4)
NEVER = Workload(floor=1e6).search(WHOLE.experiment, 32)
UNTOUCHED = study(space=WHOLE.experiment.space.at(32), batch_size=32)


def printed(capsys: pytest.CaptureFixture[str], *studies: StudyRecord) -> str:
    """The results of these studies as a pipe gets them."""
    record: ExperimentRecord = replace(WHOLE, studies=studies)
    printing.show(tables.results_table(results(record)))
    return capsys.readouterr().out


def on_terminal(content: RenderableType, *, width: int) -> list[str]:
    """The words that a terminal shows of this, in the order of the alphabet."""
    text = io.StringIO()
    Console(file=text, width=width).print(content)
    return sorted(each for each in text.getvalue().split() if set(each) != {"─"})


def rows(text: str, batch_size: int) -> list[str]:
    """The rows of a batch size."""
    return [line for line in text.splitlines() if line.split()[:1] == [str(batch_size)]]


def test_a_whole_run_shows_searched_confirmed_and_optima(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, *WHOLE.studies)

    for each in (
        "\nconfirmed: the winner's median",
        "over seeds: an interval",
        "repeated: a 95 % interval",
        "bias: confirmed over searched",
    ):
        assert each in said
    assert [len(rows(said, size)) for size in (4, 32)] == [2, 2]
    assert "no results yet" not in said


def test_before_confirmation_nothing_is_said_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, SEARCHED, UNTOUCHED)

    assert "searched: steps of the best search trial, " in said
    for each in ("confirmed", "over seeds", "repeated", "bias"):
        assert each not in said
    assert [len(rows(said, size)) for size in (4, 32)] == [2, 0]
    assert said.endswith("no results yet: batch size 32\n")


def test_where_no_trial_reached_the_target_there_is_no_optimum(capsys: pytest.CaptureFixture[str]) -> None:
    alone, beside = printed(capsys, NEVER), printed(capsys, *WHOLE.studies[:1], NEVER)

    assert [row.split()[1] for row in rows(alone, 32)] == ["-"]
    assert "searched: steps" not in alone
    assert "momentum" not in alone
    assert [row.split()[1:5] for row in rows(beside, 32)] == [["-"] * 4]


def test_before_any_result_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    title, *lines = printed(capsys, UNTOUCHED).splitlines()

    assert "steps to" in title
    assert lines == ["no results yet: batch size 32"]


@pytest.mark.parametrize(
    "table",
    [tables.results_table(results(WHOLE)), tables.sensitivity_table(sensitivity(WHOLE))],
    ids=["results", "sensitivity"],
)
def test_a_narrow_terminal_breaks_no_number_and_leaves_no_column_out(table: RenderableType) -> None:
    wide = on_terminal(table, width=200)

    assert {"learning_rate", "momentum", "32"} <= set(wide)
    assert on_terminal(table, width=80) == wide


def test_a_table_of_many_hyperparameters_wraps_names_and_values_but_shows_them_whole() -> None:
    names = [f"hyperparameter_{number}" for number in range(7)]
    values = [f"0.00{number}1234" for number in range(7)]
    table = printing.new_table(["batch size", *names], [["512", *values]])

    narrow, wide = on_terminal(table, width=80), on_terminal(table, width=200)

    assert set(values) <= set(wide)
    assert Counter("".join(narrow)) == Counter("".join(wide))


def test_every_verdict_but_inside_says_below_what_to_do() -> None:
    inside = EdgeVerdict("momentum", Side.LOW, Verdict.INSIDE, position=0.5, value=0.9, confidence=0.01)
    outside = EdgeVerdict("learning_rate", Side.HIGH, Verdict.BOX_EDGE, position=0.99, value=9.0, confidence=0.4)

    shown = on_terminal(tables.edges_table(Edges("digits", ((8, inside), (8, outside)))), width=80)

    assert shown.count("widen") == 1
    assert shown.count("momentum") == 1

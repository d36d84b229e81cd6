"""What is printed of results shows what there is, and explains what it shows."""

from dataclasses import replace

import pytest

from tests.tuner.synthetic import Workload, digits, experiment_record, study
from tuner.analysis.summary import results
from tuner.cli import printing, tables
from tuner.records import ExperimentRecord, StudyRecord

WHOLE = experiment_record(digits(batch_sizes=[4, 32]))
SEARCHED = Workload().search(WHOLE.experiment, 4)
NEVER = Workload(floor=1e6).search(WHOLE.experiment, 32)
UNTOUCHED = study(space=WHOLE.experiment.space, batch_size=32)


def printed(capsys: pytest.CaptureFixture[str], *studies: StudyRecord) -> str:
    """The results of these studies as a pipe gets them."""
    record: ExperimentRecord = replace(WHOLE, studies=studies)
    printing.show(tables.results_table(results(record)))
    return capsys.readouterr().out


def rows(text: str, batch_size: int) -> list[str]:
    """The rows of a batch size."""
    return [line for line in text.splitlines() if line.split()[:1] == [str(batch_size)]]


def test_a_whole_run_shows_searched_confirmed_and_optima(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, *WHOLE.studies)

    for each in ("; confirmed: the winner's median", "interval: covers", "bias: confirmed over searched"):
        assert each in said
    assert [len(rows(said, size)) for size in (4, 32)] == [2, 2]
    assert "no results yet" not in said


def test_before_confirmation_nothing_is_said_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, SEARCHED, UNTOUCHED)

    assert "searched: the best trial, too good by its choice\n" in said
    for each in ("confirmed", "interval", "bias", "reached"):
        assert each not in said
    assert [len(rows(said, size)) for size in (4, 32)] == [2, 0]
    assert said.endswith("no results yet: batch size 32\n")


def test_where_no_trial_reached_the_target_there_is_no_optimum(capsys: pytest.CaptureFixture[str]) -> None:
    alone, beside = printed(capsys, NEVER), printed(capsys, *WHOLE.studies[:1], NEVER)

    assert [row.split()[1] for row in rows(alone, 32)] == ["-"]
    assert "too good" not in alone
    assert "momentum" not in alone
    assert [row.split()[1:6] for row in rows(beside, 32)] == [["-"] * 5]


def test_before_any_result_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    title, *lines = printed(capsys, UNTOUCHED).splitlines()

    assert "steps to" in title
    assert lines == ["no results yet: batch size 32"]

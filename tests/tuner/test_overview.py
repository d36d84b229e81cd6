"""`tuner status`: what is said of every study, and how long an experiment will take."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from tests.tuner.synthetic import digits
from tuner.overview import seconds_left, status_table, study_state
from tuner.progress import ExperimentProgress, StudyProgress
from tuner.records import ExperimentState, Holder

SINCE = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
HOLDER = Holder("host/17", "cuda:0", SINCE)
DONE = StudyProgress(8, 1, complete=True, searched=50, confirmed=20, best=264, reported=(500, 567, 600))
SEARCHED = StudyProgress(
    16, 1, complete=False, searched=12, best=91, holder=HOLDER, recent=10, latest=SINCE + timedelta(seconds=40)
)
WAITING = StudyProgress(32, 1, complete=False)


def progress(
    *studies: StudyProgress, name: str = "digits", state: ExperimentState = ExperimentState.OPEN
) -> ExperimentProgress:
    """The preset, with as many batch sizes as studies."""
    return ExperimentProgress(digits(name=name, batch_sizes=[each.batch_size for each in studies]), state, studies)


def shown(*found: ExperimentProgress, lines: int | None = None, width: int = 100) -> str:
    """The table as a terminal shows it."""
    console = Console(file=io.StringIO(), width=width)
    console.print(status_table(found, lines=lines))
    text = console.file
    assert isinstance(text, io.StringIO)
    return "\n".join(each.rstrip() for each in text.getvalue().splitlines())


def test_every_study_of_an_experiment_has_a_row() -> None:
    done, searched, waiting = shown(progress(DONE, SEARCHED, WAITING), width=120).splitlines()[1:4]

    assert done.split() == ["digits", "8", "done", "70/70", "264", "567"]
    assert searched.split()[:4] == ["16", "searching", "12/70", "91"]
    assert "host/17, cuda:0, since 2026-01-01" in searched
    assert waiting.split() == ["32", "waiting", "0/70"]


def test_it_fits_a_narrow_terminal() -> None:
    lines = shown(progress(DONE, SEARCHED, WAITING), width=80).splitlines()

    assert all(len(each) <= 80 for each in lines)
    assert [each.split()[0] for each in lines[1:3]] == ["digits", "16"]


def test_what_is_over_has_one_row_among_others_and_all_its_rows_alone() -> None:
    over = progress(DONE, name="over")

    among = shown(over, progress(SEARCHED, WAITING))
    assert among.splitlines()[1].split() == ["over", "8", "done", "70/70"]
    assert "567" in shown(over)


def test_a_column_that_would_be_empty_is_left_out() -> None:
    assert "failed" not in shown(progress(WAITING))
    assert "failed" in shown(progress(StudyProgress(8, 1, complete=False, failed=2)))


def test_rows_that_tell_least_make_room() -> None:
    over = [progress(DONE, name=f"over-{number}") for number in range(40)]

    text = shown(*over, progress(SEARCHED, WAITING), lines=12)
    assert len(text.splitlines()) <= 12
    assert "searching" in text
    assert "waiting" in text
    assert "and 33 more" in text


@pytest.mark.parametrize(
    ("study", "state", "word"),
    [
        (DONE, ExperimentState.CANCELLED, "done"),
        (SEARCHED, ExperimentState.OPEN, "searching"),
        (
            StudyProgress(8, 1, complete=False, searched=50, confirmed=1, holder=HOLDER),
            ExperimentState.OPEN,
            "confirming",
        ),
        (StudyProgress(8, 2, complete=False, searched=50, holder=HOLDER), ExperimentState.OPEN, "searching"),
        (StudyProgress(8, 1, complete=False, error="broken"), ExperimentState.OPEN, "set aside"),
        (StudyProgress(8, 1, complete=False, searched=3), ExperimentState.OPEN, "stopped"),
        (StudyProgress(8, 1, complete=False, searched=3), ExperimentState.PAUSED, "paused"),
        (WAITING, ExperimentState.CANCELLED, "cancelled"),
        (WAITING, ExperimentState.OPEN, "waiting"),
    ],
)
def test_a_word_says_what_happens_to_a_study(study: StudyProgress, state: ExperimentState, word: str) -> None:
    assert study_state(progress(study, state=state), study) == word


def test_time_left_is_what_is_left_at_the_pace_since_the_claim() -> None:
    left_of_both = (58 + 70) * 4.0

    assert seconds_left(progress(DONE, SEARCHED, WAITING)) == pytest.approx(left_of_both)
    assert seconds_left(progress(DONE, WAITING)) is None


def test_what_was_set_aside_is_explained() -> None:
    broken = StudyProgress(8, 1, complete=False, error="ZeroDivisionError: the toy is broken")

    assert "digits, batch size 8 was set aside: ZeroDivisionError: the toy is broken; tuner resume digits opens it" in (
        shown(progress(broken), width=200)
    )
    assert "tuner resume" not in shown(progress(broken, state=ExperimentState.CANCELLED), width=200)


def test_an_empty_store_says_what_to_do() -> None:
    assert shown() == "no experiments yet; `tuner run digits` makes one"

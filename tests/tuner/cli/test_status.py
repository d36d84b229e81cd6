"""`tuner status`: what is said of every study, and how long an experiment will take."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from tests.tuner.synthetic import digits
from tuner.cli.status import seconds_left, status_table, study_state, study_status
from tuner.records import ExperimentState, Holder, Stage
from tuner.records.progress import ExperimentProgress, StudyProgress

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
    done, searched, waiting = shown(progress(DONE, SEARCHED, WAITING)).splitlines()[1:4]

    assert done.split() == ["digits", "8", "done", "70/70", "264", "567"]
    assert searched.split() == ["16", "searching", "12/76", "91"]
    assert waiting.split() == ["32", "waiting", "0/71"]


def test_workers_are_listed_below_with_host_device_and_since_when() -> None:
    lines = shown(progress(DONE, SEARCHED, WAITING)).splitlines()

    assert lines[4] == ""
    assert lines[5].split() == ["worker", "device", "since", "batch", "size"]
    assert lines[6].split() == ["host/17", "cuda:0", "2026-01-01", "16"]
    assert "worker" not in shown(progress(DONE, WAITING))


def test_a_worker_of_today_is_listed_with_the_time() -> None:
    now = datetime.now(UTC)
    text = shown(progress(StudyProgress(8, 1, complete=False, holder=Holder("host/17", "cpu", now))))

    assert f"host/17  cpu     {now.astimezone():%H:%M}" in text


def test_among_several_experiments_a_workers_is_named() -> None:
    text = shown(progress(SEARCHED, WAITING, name="one"), progress(WAITING, name="other"))

    assert "cuda:0  2026-01-01          16  one" in text


def test_a_terminal_of_80_columns_has_room_for_long_names() -> None:
    worker = "gpu-node-17.cluster.example.org/123456"
    held = replace(SEARCHED, round=2, failed=10, holder=replace(HOLDER, worker=worker))
    both = [progress(DONE, held, WAITING, name=name) for name in ("digits", "digits-without-any-momentum")]

    for text in (shown(both[0], width=80), shown(*both, width=80)):
        table = text.partition("left, at")[0].splitlines()
        assert all(len(each) <= 80 for each in table)
        assert "searching, round 2  12/106" in " ".join(table).replace("   ", "  ")
        assert worker in text


def test_probes_count_as_in_the_display_of_a_run() -> None:
    study = replace(SEARCHED, probed=4)
    status = study_status(progress(study), study)

    assert (status.done, status.planned, status.left) == (16, 72, 56)
    assert "16/72" in shown(progress(study))
    assert "74/74" in shown(progress(replace(DONE, probed=4)))


def test_what_is_over_has_one_row_among_others_and_all_its_rows_alone() -> None:
    over = progress(DONE, name="over")

    among = shown(over, progress(SEARCHED, WAITING))
    assert among.splitlines()[1].split() == ["over", "8", "done", "70/70"]
    assert "567" in shown(over)


def test_a_column_that_would_be_empty_is_left_out() -> None:
    assert "failed" not in shown(progress(WAITING))
    assert "failed" in shown(progress(StudyProgress(8, 1, complete=False, failed=2)))
    assert "failed" not in shown(progress(StudyProgress(8, 1, complete=False, interrupted=2)))


def test_rows_that_tell_least_make_room() -> None:
    over = [progress(DONE, name=f"over-{number}") for number in range(40)]

    text = shown(*over, progress(SEARCHED, WAITING), lines=12)
    assert len(text.splitlines()) <= 12
    assert "searching" in text
    assert "waiting" in text
    assert "and 36 more" in text
    assert "host/17" in text


def test_workers_leave_room_for_studies() -> None:
    held = [replace(SEARCHED, batch_size=2**power) for power in range(1, 21)]

    text = shown(progress(*held), lines=24)
    assert len(text.splitlines()) <= 24
    assert text.count("searching") > text.count("host/17") > 3


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
        (StudyProgress(8, 1, complete=False, searched=50, stage=Stage.CHOOSE), ExperimentState.OPEN, "waiting"),
        (WAITING, ExperimentState.OPEN, "waiting"),
    ],
)
def test_a_word_says_what_happens_to_a_study(study: StudyProgress, state: ExperimentState, word: str) -> None:
    found = progress(study, state=state)

    assert study_state(found, study, study_status(found, study)) == word


def test_time_left_is_what_is_left_at_the_pace_since_the_claim() -> None:
    left_of_both = (64 + 71) * 4.0

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

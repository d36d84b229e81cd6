"""Progress, as lines in a pipe and as a table on a terminal."""

import io
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from tests.tuner.recorded import Cell, at_second, finished, finished_study, recorded, started, widened
from tests.tuner.synthetic import digits, ended
from tuner.recorders import Notice, StudyAdvanced, StudyBroken, StudyFinished
from tuner.recorders.progress.display import progress
from tuner.recorders.progress.lines import LineProgress
from tuner.recorders.progress.notebook import NotebookProgress
from tuner.recorders.progress.picture import most_telling
from tuner.recorders.progress.status import StudyState, StudyStatus, headline
from tuner.recorders.progress.terminal import TerminalProgress

PLANNED = 50 + 3 * 5 + 5


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TestLineProgress:
    def test_tells_the_story_of_a_run(self) -> None:
        stream, clock = io.StringIO(), Clock()
        lines = LineProgress(stream, clock=clock)
        lines.open(digits(batch_sizes=[64, 128]))
        lines.record(StudyFinished(finished_study(128, [at_second(0, ended(35))])))
        lines.record(started(64))
        for number in range(15):
            clock.now += 1
            lines.record(StudyAdvanced(64, 1000))
            lines.record(finished(64, number, steps=max(40, 52 - number * 6)))
        lines.record(Notice("MLflow is not there."))
        lines.record(StudyBroken(64, "ZeroDivisionError: division by zero"))
        lines.close()

        assert stream.getvalue().splitlines() == [
            "digits: validation/error < 0.03 within 4,000 steps, at 2 batch sizes",
            "batch size 128: done, 1 of 1 trials, best 35 steps, 35 steps spent",
            "batch size 64: starts",
            "batch size 64: best 52 steps, found by trial 0",
            "batch size 64: best 46 steps, found by trial 1",
            "batch size 64: best 40 steps, found by trial 2",
            "batch size 64: searching, 15 of 71 trials, best 40 steps, 15,000 steps spent; about 1:00 left",
            "MLflow is not there.",
            "batch size 64: broken: ZeroDivisionError: division by zero",
            "16 of 72 trials in 0:15",
        ]

    def test_tells_of_a_round_that_begins(self) -> None:
        stream = io.StringIO()
        lines = LineProgress(stream, clock=Clock())
        lines.open(digits(batch_sizes=[64], search={"sampler": {"kind": "tpe"}, "points": 4, "round_points": 4}))
        for event in widened(recorded(batch_sizes=(64,))).events():
            lines.record(event)

        assert stream.getvalue().splitlines()[3:] == [
            "batch size 64: round 2 begins (learning_rate low 0.001 -> 0.0001), 4 of 26 trials, best 30 steps, "
            "117 steps spent",
            "batch size 64: best 15 steps, found by trial 0 of round 2",
            "batch size 64: searching, round 2, 6 of 26 trials, best 15 steps, 148 steps spent; estimating time left",
            "batch size 64: done, 8 of 8 trials, best 15 steps, 183 steps spent",
        ]

    def test_says_where_an_interrupted_study_goes_on(self) -> None:
        stream = io.StringIO()
        lines = LineProgress(stream, clock=Clock())
        lines.open(digits(batch_sizes=[64]))
        lines.record(started(64, at_second(0, ended(40))))

        assert (
            stream.getvalue().splitlines()[1] == "batch size 64: goes on, 1 of 68 trials, best 40 steps, 40 steps spent"
        )

    def test_falls_silent_when_nobody_reads(self) -> None:
        stream = io.StringIO()
        lines = LineProgress(stream, clock=Clock())
        lines.open(digits(batch_sizes=[64]))
        stream.close()
        lines.record(started(64))
        lines.record(Notice("nobody hears this"))
        lines.record(finished(64, 0))
        lines.close()

        assert stream.closed


def terminal(*, width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, no_color=True, legacy_windows=False
    )


def shown(console: Console) -> str:
    """All that was written to a console, without what moves the cursor."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", console.file.getvalue())


def last_picture(console: Console, title: str) -> list[str]:
    """The lines drawn last."""
    return [line.rstrip() for line in (title + shown(console).rpartition(title)[2]).splitlines()]


class TestTerminalProgress:
    @pytest.mark.parametrize("width", [80, 120])
    def test_shows_a_row_for_each_study(self, width: int) -> None:
        console, clock = terminal(width=width), Clock()
        table = TerminalProgress(console, clock=clock)
        table.open(digits(batch_sizes=[64, 128, 256]))
        table.record(StudyFinished(finished_study(256, [at_second(0, ended(35))])))
        table.record(started(128))
        table.record(StudyAdvanced(128, 12_345))
        table.record(finished(128, 0, steps=44))
        clock.now += 61
        table.close()
        picture = last_picture(console, headline(digits(batch_sizes=[64, 128, 256])))

        assert picture[2].split() == ["batch", "size", "trials", "best", "steps", "steps", "spent"]
        assert picture[3].split() == ["64", "0/71", "-", "-", "waiting"]
        assert [part for part in picture[4].split() if not part.startswith(("━", "╸", "╺"))] == [
            "128", "1/76", "44", "12,345", "stopped",
        ]  # fmt: skip
        assert picture[5].split()[2:] == ["1/1", "35", "35", "done"]
        assert picture[7] == "2 of 148 trials  ·  1:01 elapsed"
        assert max(map(len, picture)) <= min(width, 100)

    def test_prints_notices_and_broken_studies_above(self) -> None:
        console = terminal()
        table = TerminalProgress(console, clock=Clock())
        table.open(digits(batch_sizes=[64]))
        table.record(Notice("[MLflow] is not there"))
        table.record(StudyBroken(64, "ZeroDivisionError: division by zero"))
        table.close()

        assert "[MLflow] is not there" in shown(console)
        assert "batch size 64: ZeroDivisionError: division by zero" in shown(console)
        assert last_picture(console, "digits:")[3].split()[-1] == "broken"

    def test_says_how_many_studies_a_low_terminal_hides(self) -> None:
        console = terminal(height=9)
        table = TerminalProgress(console, clock=Clock())
        table.open(digits())
        table.record(started(64))
        drawn = shown(console)
        table.close()

        assert "and 7 more" in drawn
        assert "and 7 more" not in last_picture(console, "digits:")

    def test_a_low_terminal_shows_what_is_in_progress_then_what_is_to_come(self) -> None:
        states = [StudyState.WAITING, StudyState.WAITING, StudyState.SEARCHING, StudyState.DONE, StudyState.CONFIRMING]
        studies = [StudyStatus(2**index, 70, 50, state=state) for index, state in enumerate(states)]

        assert [each.batch_size for each in most_telling(studies, room=3)] == [1, 4, 16]
        assert most_telling(studies, room=9) == studies


class TestNotebookProgress:
    def test_shows_a_row_for_each_study_and_notices_below(self) -> None:
        cell, clock = Cell(), Clock()
        table = NotebookProgress(cell, clock=clock)
        table.open(digits(batch_sizes=[64, 128]))
        table.record(started(128))
        table.record(finished(128, 0, steps=44))
        table.record(Notice("[MLflow] is not there"))
        table.record(StudyBroken(64, "ZeroDivisionError: 1 < 2"))
        clock.now += 61
        table.close()

        lines = cell.text[-1].splitlines()
        assert lines[0] == headline(digits(batch_sizes=[64, 128]))
        assert [lines[3].split()[-1], lines[4].split()[-1]] == ["broken", "stopped"]
        assert lines[6] == "1 of 142 trials  ·  1:01 elapsed"
        assert lines[7:] == ["[MLflow] is not there", "batch size 64: ZeroDivisionError: 1 < 2"]
        assert "ZeroDivisionError: 1 &lt; 2" in cell.html[-1]
        assert re.fullmatch(r"<pre .*</pre>", cell.html[-1], flags=re.DOTALL)

    def test_draws_at_most_twice_a_second(self) -> None:
        cell, clock = Cell(), Clock()
        table = NotebookProgress(cell, clock=clock)
        table.open(digits(batch_sizes=[64]))
        table.record(started(64))
        for _ in range(8):
            clock.now += 0.25
            table.record(StudyAdvanced(64, 10))

        assert len(cell.text) == 1 + 4

    def test_leaves_it_to_the_thread_of_the_cell_to_draw(self) -> None:
        cell, clock = Cell(), Clock()
        table = NotebookProgress(cell, clock=clock)
        table.open(digits(batch_sizes=[64]))
        clock.now += 9
        with ThreadPoolExecutor(1) as threads:
            threads.submit(table.record, Notice("from elsewhere")).result()
        before = len(cell.text)
        table.record(started(64))

        assert (before, len(cell.text)) == (1, 2)
        assert "from elsewhere" in cell.text[-1]


def test_a_terminal_and_a_notebook_get_a_table_and_a_pipe_gets_lines() -> None:
    assert isinstance(progress(terminal()), TerminalProgress)
    assert isinstance(progress(Console(file=io.StringIO())), LineProgress)
    assert isinstance(progress(Console(file=io.StringIO(), force_jupyter=True)), NotebookProgress)


def test_both_take_every_event_of_a_run() -> None:
    what = recorded()
    stream, console = io.StringIO(), terminal()
    for each in (LineProgress(stream), TerminalProgress(console)):
        each.open(what.experiment)
        for event in what.events():
            each.record(event)
        each.close()

    assert stream.getvalue().splitlines()[-1].startswith("8 of 8 trials in ")
    assert "8 of 8 trials" in shown(console)

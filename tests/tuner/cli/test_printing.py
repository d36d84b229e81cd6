"""What comes from files, errors and databases changes nothing on the terminal that it is shown on."""

import io

import pytest
from rich.console import Console, Group, RenderableType
from rich.text import Text

from tests.tuner.recorded import Cell
from tests.tuner.synthetic import digits
from tuner.cli import app, printing
from tuner.errors import TunerError, printable
from tuner.recorders import Notice, Recorder, StudyBroken
from tuner.recorders.progress.escaping import Escaped
from tuner.recorders.progress.lines import LineProgress
from tuner.recorders.progress.notebook import NotebookProgress
from tuner.recorders.progress.terminal import TerminalProgress

HOSTILE = "a\x1b]0;title\x07\x1b[31mred\x9b2J\r\x08 \u202eback [red]x[/red] [link=http://x]y[/link] \udc80"
CONTROLS = {"\x07", "\x08", "\r", "\x9b", "\u202e", "\udc80", "\x1b]", "\x1b[31m"}
SHOWN = r"\x1b[31mred\x9b2J"


def on_terminal(content: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=300, force_terminal=True, color_system=None, markup=False).print(Escaped(content))
    return out.getvalue()


def assert_harmless(said: str) -> None:
    assert not {each for each in CONTROLS if each in said}
    assert SHOWN in said


def test_controls_and_marks_of_direction_are_escaped_and_lines_stay_lines() -> None:
    assert printable("two\nlines,\ta tab, é, 漢 and 🙂") == "two\nlines,\ta tab, é, 漢 and 🙂"
    assert printable("\x1b[2J \x9b \r \0 \u2028 \u202e \udc80") == r"\x1b[2J \x9b \r \x00 \u2028 \u202e \udc80"


@pytest.mark.parametrize("content", [Text(HOSTILE), HOSTILE, Group("x", Text(HOSTILE, "bold"))])
def test_whatever_is_shown_is_escaped_and_no_markup(content: RenderableType) -> None:
    said = on_terminal(content)

    assert_harmless(said)
    assert "[red]x[/red]" in said


def test_a_cell_of_a_table_is_escaped_and_no_markup() -> None:
    table = printing.new_table(["experiment", HOSTILE], [(HOSTILE, Text(HOSTILE, "red"))])

    said = on_terminal(table)

    assert_harmless(said)
    assert said.count("[red]x[/red] [link=http://x]y[/link]") == 3
    assert len({len(line) for line in said.splitlines()}) <= 2  # it is laid out with what is shown


def on_narrow_terminal(table: RenderableType, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(Escaped(table))
    return out.getvalue().splitlines()


def test_a_narrow_terminal_breaks_headings_between_words_before_it_folds_a_name() -> None:
    columns = ("experiment", "critical batch size", "over seeds", "lr / (1 - m)", "worth it")
    table = printing.new_table(columns, [("walk-heavy_ball", "78", "61 to 120", "0.95 (0.74 to 1.35)", "advised")])

    wide, narrow, narrower = (on_narrow_terminal(table, width) for width in (120, 72, 66))

    assert " ".join(columns) in " ".join(wide[1].split())
    assert any("walk-heavy_ball" in line and "61 to 120   0.95 (0.74 to 1.35)" in line for line in narrow)
    assert any("lr / (1 - m)" in line for line in narrow)
    assert all(len(line) <= 66 for line in narrower)
    assert any("walk-heavy_ball" in line for line in narrower)


def test_a_pipe_gets_the_same_letters(capsys: pytest.CaptureFixture[str]) -> None:
    printing.show(Text(HOSTILE))

    assert_harmless(capsys.readouterr().out)


def test_an_error_is_escaped_line_by_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise TunerError(f"{HOSTILE}\nsecond")

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(SystemExit):
        app.main()

    said = capsys.readouterr().err
    assert_harmless(said)
    assert [line[:7] for line in said.splitlines()] == ["error: ", "error: "]


def terminal() -> tuple[Recorder, io.StringIO]:
    out = io.StringIO()
    return TerminalProgress(Console(file=out, width=300, force_terminal=True, color_system=None)), out


def pipe() -> tuple[Recorder, io.StringIO]:
    out = io.StringIO()
    return LineProgress(out), out


@pytest.mark.parametrize("made", [terminal, pipe])
@pytest.mark.parametrize("event", [Notice(HOSTILE), StudyBroken(64, HOSTILE)])
def test_what_a_run_is_told_is_escaped(made: object, event: Notice | StudyBroken) -> None:
    progress, out = made()  # type: ignore[operator]

    progress.open(digits(batch_sizes=[64]))
    progress.record(event)
    progress.close()

    said = out.getvalue().replace("\r", "")  # with which a live table goes back to its beginning
    assert not {each for each in CONTROLS - {"\r"} if each in said}
    assert SHOWN in said


def test_a_notebook_shows_it_escaped() -> None:
    cell = Cell()
    progress = NotebookProgress(cell)

    progress.open(digits(batch_sizes=[64]))
    progress.record(Notice(HOSTILE))
    progress.close()

    for said in (*cell.html[-1:], *cell.text[-1:]):
        assert_harmless(said)

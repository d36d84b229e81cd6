"""The status of every study of a run as a picture: a title, a row for each study, and a summary."""

from collections.abc import Sequence

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.experiment.goals import ScoreUnit
from tuner.recorders.progress.status import RunProgress, StudyState, StudyStatus, duration, remaining

STYLES = {
    StudyState.WAITING: "dim",
    StudyState.SEARCHING: "cyan",
    StudyState.CONFIRMING: "magenta",
    StudyState.TRAINING: "cyan",
    StudyState.DONE: "green",
    StudyState.BROKEN: "red",
    StudyState.STOPPED: "yellow",
}


def picture(run: RunProgress, title: str, *, width: int, room: int | None, now: float, is_over: bool) -> Group:
    """The whole picture.

    Args:
        run: What to show.
        title: What is run, in a line.
        width: Columns that the table fills.
        room: Studies that can be shown; all if None.
        now: Seconds on the clock of the run.
        is_over: Whether nothing follows any more.
    """
    studies = list(run.studies.values())
    shown = most_telling(studies, room=len(studies) if room is None else room)
    parts = [f"{run.done} of {run.planned} trials", f"{duration(run.elapsed(now))} elapsed"]
    if not is_over:
        parts.append(remaining(run.time_left()))
    summary = Text("  ·  ".join(parts), style="dim")
    return Group(
        Text(title, style="bold"), "", _table(shown, run.unit, width=width), *_hidden(studies, shown), "", summary
    )


def most_telling(studies: Sequence[StudyStatus], *, room: int) -> list[StudyStatus]:
    """As many studies as there is room for, in their order: those in progress before those to come and those past."""
    urgency = {StudyState.BROKEN: 0, StudyState.WAITING: 1}
    ranked = sorted(studies, key=lambda each: 0 if each.is_active else urgency.get(each.state, 2))[:room]
    return [each for each in studies if any(each is one for one in ranked)]


def _table(studies: Sequence[StudyStatus], unit: ScoreUnit, *, width: int) -> Table:
    table = Table(box=None, width=width, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("batch size", justify="right")
    table.add_column("", ratio=1)
    table.add_column("trials", justify="right")
    table.add_column(f"best {unit.column}", justify="right")
    table.add_column("steps spent", justify="right")
    table.add_column("", min_width=len(StudyState.CONFIRMING))
    for each in studies:
        table.add_row(*_row(each, unit), style="dim" if each.state is StudyState.WAITING else "")
    return table


def _row(study: StudyStatus, unit: ScoreUnit) -> tuple[str | Text | ProgressBar, ...]:
    style = STYLES[study.state]
    return (
        f"{study.batch_size:,}",
        ProgressBar(study.planned, study.done, complete_style=style, finished_style=style),
        f"{study.done}/{study.planned}",
        "-" if study.best is None else unit.text(study.best),
        f"{study.steps:,}" if study.steps else "-",
        Text(study.activity, style=style),
    )


def _hidden(studies: Sequence[StudyStatus], shown: Sequence[StudyStatus]) -> list[Text]:
    """What the terminal has no room for, in a line."""
    missing = len(studies) - len(shown)
    return [Text(f"and {missing} more", style="dim")] if missing else []

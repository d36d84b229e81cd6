"""Progress as a table at the foot of a terminal: a row for each study."""

import threading
import time
from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, StudyBroken
from tuner.recorders.progress.status import RunProgress, StudyState, StudyStatus, duration, headline, remaining

REFRESHES_PER_SECOND = 4
WIDTH = 100
"""Columns beyond which a wider table is harder to read."""
FRAME = 6
"""Lines the table needs beside its rows."""

STYLES = {
    StudyState.WAITING: "dim",
    StudyState.SEARCHING: "cyan",
    StudyState.CONFIRMING: "magenta",
    StudyState.DONE: "green",
    StudyState.BROKEN: "red",
    StudyState.STOPPED: "yellow",
}


class TerminalProgress:
    """Shows the status of every study. Notices are printed above the table.

    Args:
        console: The terminal.
        clock: Counts seconds.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._progress: RunProgress | None = None
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=REFRESHES_PER_SECOND)
        self._title = ""
        self._is_closed = False

    def open(self, experiment: Experiment) -> None:
        self._progress = RunProgress(experiment, now=self._clock())
        self._title = headline(experiment)
        self._live.start(refresh=True)

    def record(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._console.print(Text(event.text, style="yellow"))
            return
        with self._lock:
            if self._progress is not None:
                self._progress.apply(event, now=self._clock())
        if isinstance(event, StudyBroken):
            self._console.print(Text(f"batch size {event.batch_size}: {event.reason}", style="red"))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._progress is not None:
                self._progress.stop()
        self._live.stop()

    def _draw(self) -> Group:
        """The whole picture, as it is now."""
        with self._lock:
            if self._progress is None:
                return Group()
            studies = list(self._progress.studies.values())
            room = len(studies) if self._is_closed else max(1, self._console.height - FRAME)
            shown = most_telling(studies, room=room)
            return Group(
                Text(self._title, style="bold"),
                "",
                _table(shown, width=min(self._console.width, WIDTH)),
                *_hidden(studies, shown),
                "",
                self._summary(self._progress),
            )

    def _summary(self, run: RunProgress) -> Text:
        parts = [
            f"{run.done} of {run.planned} trials",
            f"{duration(run.elapsed(self._clock()))} elapsed",
        ]
        if not self._is_closed:
            parts.append(remaining(run.time_left()))
        return Text("  ·  ".join(parts), style="dim")


def most_telling(studies: Sequence[StudyStatus], *, room: int) -> list[StudyStatus]:
    """As many studies as there is room for, in their order: those in progress before those to come and those past."""
    urgency = {StudyState.BROKEN: 0, StudyState.SEARCHING: 0, StudyState.CONFIRMING: 0, StudyState.WAITING: 1}
    ranked = sorted(studies, key=lambda each: urgency.get(each.state, 2))[:room]
    return [each for each in studies if any(each is one for one in ranked)]


def _table(studies: Sequence[StudyStatus], *, width: int) -> Table:
    table = Table(box=None, width=width, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("batch size", justify="right")
    table.add_column("", ratio=1)
    table.add_column("trials", justify="right")
    table.add_column("best steps", justify="right")
    table.add_column("steps spent", justify="right")
    table.add_column("", min_width=len(StudyState.CONFIRMING))
    for each in studies:
        table.add_row(*_row(each), style="dim" if each.state is StudyState.WAITING else "")
    return table


def _row(study: StudyStatus) -> tuple[str | Text | ProgressBar, ...]:
    style = STYLES[study.state]
    return (
        f"{study.batch_size:,}",
        ProgressBar(study.planned, study.done, complete_style=style, finished_style=style),
        f"{study.done}/{study.planned}",
        "-" if study.best is None else f"{study.best:,}",
        f"{study.steps:,}" if study.steps else "-",
        Text(study.activity, style=style),
    )


def _hidden(studies: Sequence[StudyStatus], shown: Sequence[StudyStatus]) -> list[Text]:
    """What the terminal has no room for, in a line."""
    missing = len(studies) - len(shown)
    return [Text(f"and {missing} more", style="dim")] if missing else []

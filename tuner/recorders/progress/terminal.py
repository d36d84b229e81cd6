"""Progress as a table at the foot of a terminal: a row for each study."""

import threading
import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tuner.errors import printable
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, StudyBroken
from tuner.recorders.progress.picture import picture
from tuner.recorders.progress.status import RunProgress, headline

REFRESHES_PER_SECOND = 4
WIDTH = 100
"""Columns beyond which a wider table is harder to read."""
FRAME = 6
"""Lines the table needs beside its rows."""


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
        self._title = printable(headline(experiment))
        self._live.start(refresh=True)

    def record(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._console.print(Text(printable(event.text), style="yellow"))
            return
        with self._lock:
            if self._progress is not None:
                self._progress.apply(event, now=self._clock())
        if isinstance(event, StudyBroken):
            self._console.print(Text(printable(f"batch size {event.batch_size}: {event.reason}"), style="red"))

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
            return picture(
                self._progress,
                self._title,
                width=min(self._console.width, WIDTH),
                room=None if self._is_closed else max(1, self._console.height - FRAME),
                now=self._clock(),
                is_over=self._is_closed,
            )

"""Progress as one output of a notebook's cell, drawn again and again."""

import io
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.text import Text

from tuner.errors import printable
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice, StudyBroken
from tuner.recorders.progress.picture import picture
from tuner.recorders.progress.status import RunProgress, headline

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

PAUSE_SECONDS = 0.5
"""Least time between two pictures."""
WIDTH = 100
STYLE = "white-space:pre;overflow-x:auto;line-height:normal;font-family:Menlo,'DejaVu Sans Mono',monospace"
HTML = f'<pre style="{STYLE}">{{code}}</pre>'


class Output(Protocol):
    """Shows a picture in the place of the one before."""

    def show(self, *, html: str, text: str) -> None:
        """Show this, as HTML where that can be shown."""
        ...


class CellOutput:
    """The output of the cell that runs now."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, *, html: str, text: str) -> None:
        from IPython.display import display  # a notebook has it, and nobody else needs it

        data = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


class NotebookProgress:
    """Shows the status of every study below the cell, and the notices under it.

    It draws only in the thread that has opened it, because what other threads show is lost or ends up in another cell.

    Args:
        output: Where to.
        clock: Counts seconds.
    """

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._lock = threading.Lock()
        self._progress: RunProgress | None = None
        self._thread = 0
        self._title = ""
        self._notices: list[Text] = []
        self._drawn = 0.0

    def open(self, experiment: Experiment) -> None:
        self._progress = RunProgress(experiment, now=self._clock())
        self._title = headline(experiment)
        self._thread = threading.get_ident()
        self._draw(is_over=False)

    def record(self, event: Event) -> None:
        with self._lock:
            if self._progress is None:
                return
            match event:
                case Notice(text):
                    self._notices.append(Text(printable(text), style="yellow"))
                case StudyBroken(batch_size, reason):
                    self._notices.append(Text(printable(f"batch size {batch_size}: {reason}"), style="red"))
            if not isinstance(event, Notice):
                self._progress.apply(event, now=self._clock())
        if threading.get_ident() == self._thread and self._clock() - self._drawn >= PAUSE_SECONDS:
            self._draw(is_over=False)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._draw(is_over=True)

    def _draw(self, *, is_over: bool) -> None:
        """Show how it is now."""
        paper = Console(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False, color_system="truecolor")
        with self._lock:
            if self._progress is None:
                return
            self._drawn = now = self._clock()
            paper.print(picture(self._progress, self._title, width=WIDTH, room=None, now=now, is_over=is_over))
            for each in self._notices:
                paper.print(each)
        html = paper.export_html(inline_styles=True, code_format=HTML, clear=False)
        self._output.show(html=html, text=paper.export_text())

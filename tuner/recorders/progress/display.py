"""Progress in the form that suits where it is shown."""

from rich.console import Console

from tuner.recorders import Recorder
from tuner.recorders.progress.lines import LineProgress
from tuner.recorders.progress.notebook import CellOutput, NotebookProgress
from tuner.recorders.progress.terminal import TerminalProgress


def progress(console: Console) -> Recorder:
    """A live table in a notebook, and on a terminal that can move its cursor; plain lines elsewhere."""
    if console.is_jupyter:
        return NotebookProgress(CellOutput())
    can_draw = console.is_terminal and not console.is_dumb_terminal
    return TerminalProgress(console) if can_draw else LineProgress(console.file)

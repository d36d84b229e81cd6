"""Printing: in colour on a terminal, at full width in a pipe or file, as JSON for programs, or over and over."""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

WATCH_SECONDS = 2.0
WATCH_SHARE = 0.1
"""How much of the time watching may keep the store busy."""
WORDS = {
    "experiment",
    "state",
    "parameter",
    "verdict",
    "flags",
    "at an edge",
    "worker",
    "device",
    "since",
    "found",
    "what to do",
    "why",
    "",
}
"""Columns that hold words, which are set left; numbers and names are set right."""


def show(content: RenderableType) -> None:
    """Print to standard output."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000
    console.print(content)


def show_either(table: RenderableType, values: Mapping[str, object], *, as_json: bool) -> None:
    """Print something for a person, or as JSON for a program."""
    if as_json:
        print(json.dumps(values, indent=2))
    else:
        show(table)


def watch(content: Callable[[int], RenderableType]) -> None:
    """Show something anew every two seconds until Ctrl-C; less often if it takes long to be had.

    Args:
        content: What to show in so many lines.
    """
    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                began = time.monotonic()
                live.update(content(console.height), refresh=True)
                time.sleep(max(WATCH_SECONDS, (time.monotonic() - began) / WATCH_SHARE))
        except KeyboardInterrupt:
            return


def new_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table that wraps its columns where a terminal is narrow: a number that is cut off reads as another number."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def legend(*lines: str) -> Text:
    """What the columns of a table mean, below it."""
    return Text("\n".join(lines), "dim")


def steps_phrase(steps: float) -> str:
    """A number of steps, which is infinite if the target was not reached.

    >>> steps_phrase(1234), steps_phrase(math.inf)
    ('1,234', 'never')
    """
    return "never" if math.isinf(steps) else f"{steps:,.0f}"

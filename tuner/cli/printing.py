"""Printing: in colour on a terminal, at full width in a pipe or file, as JSON for programs, or over and over."""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from tuner.errors import printable
from tuner.recorders.progress.escaping import Escaped

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


def show(content: RenderableType, *, errors: bool = False) -> None:
    """Print to standard output, or to that of errors, where it is in nobody's way."""
    console = Console(highlight=False, markup=False, stderr=errors)
    if not console.is_terminal:
        console.width = 1000
    console.print(Escaped(content))


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
                live.update(Escaped(content(console.height)), refresh=True)
                time.sleep(max(WATCH_SECONDS, (time.monotonic() - began) / WATCH_SHARE))
        except KeyboardInterrupt:
            return


class FittingTable(Table):
    """A table that makes room where a terminal is narrow: first between the words of its headings, then columns."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = self
        if self._is_too_wide(console, options):
            table = copy(self)
            table.columns = [replace(each, header=_heading(each)) for each in self.columns]
            table.collapse_padding = table.collapse_padding or table._is_too_wide(console, options)
        yield from Table.__rich_console__(table, console, options)

    def _is_too_wide(self, console: Console, options: ConsoleOptions) -> bool:
        return self.__rich_measure__(console, options).maximum > options.max_width


def _heading(column: Column) -> RenderableType:
    """The heading of a column, broken between words to be no wider than the cells below it."""
    heading = column.header
    if not isinstance(heading, Text):
        return heading
    cells = [each.cell_len for each in column.cells if isinstance(each, Text)]
    width = max([*cells, *map(cell_len, heading.plain.split())])
    return Text("\n".join(wrap(heading.plain, width, break_on_hyphens=False)), heading.style)


def new_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table that wraps its columns where a terminal is narrow: a number that is cut off reads as another number."""
    table = FittingTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), justify="left" if column in WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    return table


def _cell(content: str | Text) -> Text:
    """A cell whose width is known before the table is laid out, and that is no markup."""
    cell = content.copy() if isinstance(content, Text) else Text(content)
    if (shown := printable(cell.plain)) != cell.plain:
        cell.plain = shown
    return cell


def legend(*lines: str) -> Text:
    """What the columns of a table mean, below it."""
    return Text("\n".join(lines), "dim")


def steps_phrase(steps: float) -> str:
    """A number of steps, which is infinite if the target was not reached.

    >>> steps_phrase(1234), steps_phrase(math.inf)
    ('1,234', 'never')
    """
    return "never" if math.isinf(steps) else f"{steps:,.0f}"


def nothing_searched(experiment: str, what: str) -> Text:
    """Why an experiment whose hyperparameters are all fixed has nothing to show."""
    return Text.assemble((experiment, "bold"), f": every hyperparameter is fixed or follows a rule: no {what}")

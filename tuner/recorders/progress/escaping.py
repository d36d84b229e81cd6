"""What is shown on a terminal, without what could change the terminal: texts come from files, errors and databases."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

from tuner.errors import printable


@dataclass(frozen=True, slots=True)
class Escaped:
    """Something to show, whose text is `printable` wherever it comes from; colours and layout stay."""

    content: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for each in console.render(self.content, options):
            yield each if each.control else Segment(printable(each.text), each.style)

"""The command that compares experiments, and what it prints."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.options import AboveOption, BelowOption, JsonOption, StoreOption, example

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuner.analysis.comparison import Comparison

commands = typer.Typer()


@commands.command(epilog=example("tuner compare heavy-ball adam"))
def compare(
    names: Annotated[list[str], typer.Argument(metavar="EXPERIMENT", help="Two experiments or more.")],
    store: StoreOption = None,
    as_json: JsonOption = False,
    below: BelowOption = None,
    above: AboveOption = None,
    folder: Annotated[Path | None, typer.Option("--output", help="Folder to write to. Default: runs.")] = None,
) -> None:
    """Compare experiments: their curves in one figure, and which differences are beyond the intervals.

    It writes a page with figures, runs/compare-EXPERIMENT-EXPERIMENT.html. Ratios are to the first experiment.
    """
    gc.disable()  # as the process ends with the page
    from tuner.analysis.other_goals import asked_target
    from tuner.cli import printing
    from tuner.reports.comparison import compared_in, write_comparison
    from tuner.service import locations

    if len(names) < 2:
        raise typer.BadParameter(f"{names[0]} alone cannot be compared; name two", param_hint="EXPERIMENT...")
    target = asked_target(below=below, above=above)
    with locations.records_in(store) as opened:
        found, url = compared_in(opened, names, target=target), opened.url
    side = "" if target is None else f" --{target.phrase}"
    page = write_comparison(
        found, folder or locations.RUNS, command=f"tuner compare {' '.join(names)}{side}", store=url
    )
    printing.show_either(_shown(found, page), found.to_json() | {"report": str(page)}, as_json=as_json)


def _shown(found: "Comparison", page: Path) -> "RenderableType":
    """The answer, the tables of the page, and where that is."""
    from rich.console import Group
    from rich.text import Text

    from tuner.cli.printing import legend, new_table
    from tuner.reports.comparison import budgets, cautions, comparison_sections, headline

    parts: list[RenderableType] = [
        Text.assemble((", ".join(found.names), "bold"), f": {found.unit.question}"),
        Text(""),
    ]
    parts.append(Text(" ".join(filter(None, (headline(found), budgets(found))))))
    for section in comparison_sections(found, draw=False):
        if section.tables:
            parts.append(Text(f"\n{section.question}", "bold"))
        parts += [new_table(each.heads, each.rows) for each in section.tables]
        parts += [legend(each) for each in section.notes]
    parts += [Text(each) for each in cautions(found)]
    return Group(*parts, Text.assemble("page: ", (str(page), "bold")))

"""How far the experiments in a store are, who searches them, and how long that may still take."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.printing import new_table, steps_phrase
from tuner.progress import ExperimentProgress, StudyProgress
from tuner.recorders.standing import Standing, StudyState, begun, pace, remaining, time_left
from tuner.records import ExperimentState, Holder

COLUMNS = ("experiment", "batch size", "state", "trials", "failed", "best", "confirmed", "worker")
SHORTENED = {"experiment": 10, "worker": 12}
"""Columns that are shortened if they must be, and what is left of them at least."""
FRAME = 2
"""Lines that a table needs beside its rows and the lines below it."""
STYLES = {
    "done": "green",
    "searching": "cyan",
    "confirming": "magenta",
    "set aside": "red",
    "stopped": "yellow",
    "paused": "yellow",
    "waiting": "dim",
    "cancelled": "dim",
}
URGENT = ("searching", "confirming", "set aside")
PAST = ("done", "cancelled")


@dataclass(frozen=True, slots=True)
class Row:
    """A study, or an experiment that is done, and what is said of it in each column."""

    experiment: str
    state: str
    cells: tuple[str, ...]


def status_table(found: Sequence[ExperimentProgress], *, lines: int | None = None) -> RenderableType:
    """A row for each study; but for one alone, an experiment that is done has one row for all of its studies.

    Args:
        found: The experiments to show.
        lines: How many there are to show it in; rows that tell least are left out.
    """
    if not found:
        return Text("no experiments yet; `tuner run digits` makes one")
    rows = [row for each in found for row in _rows(each, alone=len(found) == 1)]
    below = [line for each in found for line in _below(each)]
    shown = rows if lines is None else _most_telling(rows, room=max(1, lines - FRAME - len(below)))
    if hidden := len(rows) - len(shown):
        below.insert(0, Text(f"and {hidden} more", "dim"))
    filled = [index for index in range(len(COLUMNS)) if index == 0 or any(each.cells[index - 1] for each in shown)]
    table = new_table(*(COLUMNS[index] for index in filled))
    table.box, table.padding = None, (0, 2, 0, 0)  # a terminal of 80 columns has no room to spare
    table.header_style = "dim"
    for column in table.columns:
        column.no_wrap = column.header not in SHORTENED
        column.min_width = SHORTENED.get(str(column.header))
    for above, row in zip([None, *shown], shown, strict=False):
        name = "" if above is not None and above.experiment == row.experiment else row.experiment
        cells = (
            Text(name, "bold", no_wrap=True, overflow="ellipsis"),
            *(Text(each, no_wrap=True, overflow="ellipsis") for each in row.cells),
        )
        cells[COLUMNS.index("state")].stylize(STYLES[row.state])
        table.add_row(*(cells[index] for index in filled))
    return Group(table, *below)


def standing(found: ExperimentProgress, study: StudyProgress) -> Standing:
    """Where a study stands, as a display would know it that had watched it from its beginning."""
    stands = begun(found.experiment, study.batch_size, round=study.round)
    stands.done, stands.searched, stands.best = study.done, study.searched, study.best
    if study.complete:
        stands.state, stands.planned = StudyState.DONE, study.done
    elif study.holder is not None:
        stands.state = StudyState.CONFIRMING if study.confirmed else StudyState.SEARCHING
    elif study.error or found.state is not ExperimentState.OPEN:
        stands.state = StudyState.STOPPED
    return stands


def study_state(found: ExperimentProgress, study: StudyProgress) -> str:
    """What happens to a study, in a word or two."""
    stands = standing(found, study)
    if study.complete or stands.is_active:
        return str(stands.state)
    if study.error:
        return "set aside"
    if found.state is not ExperimentState.OPEN:
        return str(found.state)
    return "stopped" if study.done or study.failed or study.running else "waiting"


def seconds_left(found: ExperimentProgress) -> float | None:
    """How long an experiment will take, at the pace of each study since its worker claimed it; None if none has one."""
    paces = {}
    for each in found.studies:
        if each.holder is not None and each.latest is not None:
            measured = pace(each.recent, (each.latest - each.holder.since).total_seconds())
            if measured is not None:
                paces[each.batch_size] = measured
    return time_left([standing(found, each) for each in found.studies], paces)


def _rows(found: ExperimentProgress, *, alone: bool) -> Iterator[Row]:
    """The rows of an experiment."""
    name = found.experiment.name
    if found.is_complete and not alone:
        first, last = found.studies[0].batch_size, found.studies[-1].batch_size
        sizes = f"{first} - {last}" if last > first else str(first)
        failed = sum(each.failed for each in found.studies)
        trials = sum(each.done for each in found.studies)
        yield Row(name, "done", (sizes, "done", f"{trials}/{trials}", str(failed or ""), "", "", ""))
        return
    for study in found.studies:
        stands, state = standing(found, study), study_state(found, study)
        cells = (
            str(study.batch_size),
            f"{state}, round {study.round}" if study.round > 1 else state,
            f"{stands.done}/{stands.planned}",
            str(study.failed or ""),
            "" if study.best is None else steps_phrase(study.best),
            steps_phrase(median(study.reported)) if study.reported else "",
            "" if study.holder is None else _worker(study.holder),
        )
        yield Row(name, state, cells)


def _most_telling(rows: Sequence[Row], *, room: int) -> list[Row]:
    """As many rows as there is room for, in their order: what happens now before what is to come and what is past."""
    urgency = {**dict.fromkeys(URGENT, 0), **dict.fromkeys(PAST, 2)}
    kept = sorted(range(len(rows)), key=lambda index: urgency.get(rows[index].state, 1))[:room]
    return [rows[index] for index in sorted(kept)]


def _below(found: ExperimentProgress) -> Iterable[Text]:
    """What is said of an experiment below the table: how long it will take, and what was set aside."""
    name = found.experiment.name
    if any(each.holder is not None for each in found.studies):
        left = remaining(seconds_left(found))
        yield Text(f"{name}: {left}, at the pace since each study was claimed", "dim")
    for each in found.studies:
        if each.error:
            advice = "" if found.state is ExperimentState.CANCELLED else f"; tuner resume {name} opens it again"
            yield Text(f"{name}, batch size {each.batch_size} was set aside: {each.error}{advice}", "red")


def _worker(holder: Holder) -> str:
    """Who searches a study: host and process, device, since when."""
    since = holder.since.astimezone()
    day = "" if since.date() == datetime.now(UTC).astimezone().date() else f"{since:%Y-%m-%d} "
    return f"{holder.worker}, {holder.device}, since {day}{since:%H:%M}"

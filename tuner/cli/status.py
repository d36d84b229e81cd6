"""How far the experiments in a store are, who searches them, and how long that may still take."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuner.cli.printing import new_table
from tuner.recorders.progress.status import StudyState, StudyStatus, begun, pace, remaining, time_left
from tuner.records import ExperimentState, Holder, Stage
from tuner.records.progress import ExperimentProgress, StoreProgress, StudyProgress, Unreadable

COLUMNS = ("experiment", "batch size", "state", "trials", "failed", "best", "confirmed")
WORKER_COLUMNS = ("worker", "device", "since", "batch size", "experiment")
SHORTENED = "experiment"
"""The column whose words are shortened where a terminal is narrow."""
LEAST_WIDTH = 10
"""What is left of them at least."""
LEGEND = {
    "trials": "trials: finished / planned",
    "best": "best: of the search trials, steps to the target or the best value",
    "confirmed": "confirmed: median of the winner over fresh seeds",
}
"""What columns mean, if they are shown."""
FRAME = 2
"""Lines that a table needs beside its rows and the lines below it."""
WORKERS_SHARE = 1 / 3
"""Share of the lines that workers get where studies alone would fill them."""
UNREADABLE = "unreadable"
"""The state of an experiment that this version cannot read."""
STYLES = {
    "done": "green",
    "searching": "cyan",
    "confirming": "magenta",
    "training": "cyan",
    "set aside": "red",
    "stopped": "yellow",
    "paused": "yellow",
    "waiting": "dim",
    "cancelled": "dim",
    UNREADABLE: "red",
}
URGENT = ("searching", "confirming", "training", "set aside", UNREADABLE)
PAST = ("done", "cancelled")


@dataclass(frozen=True, slots=True)
class Row:
    """A study, or an experiment that is done.

    Attributes:
        cells: What is said of it in each column after the experiment's name.
        holder: Who searches it.
    """

    experiment: str
    state: str
    cells: tuple[str, ...]
    holder: Holder | None = None


def store_table(found: StoreProgress, *, lines: int | None = None) -> RenderableType:
    """As `status_table`, for all that a store has, with the experiments that cannot be read."""
    return status_table(found.experiments, unreadable=found.unreadable, lines=lines)


def status_table(
    found: Sequence[ExperimentProgress], *, unreadable: Sequence[Unreadable] = (), lines: int | None = None
) -> RenderableType:
    """A row for each study; but for one alone, an experiment that is done has one row for all of its studies.

    Workers have a table of their own below: a terminal of 80 columns has no room for both side by side.

    Args:
        found: The experiments to show.
        unreadable: Those of which no more can be said than that they are there.
        lines: How many there are to show it in; rows that tell least are left out, and what columns mean.
    """
    if not found and not unreadable:
        return Text("no experiments yet; `tuner run digits` makes one")
    rows = [row for each in found for row in _rows(each, alone=len(found) + len(unreadable) == 1)]
    rows += [Row(each.name, UNREADABLE, ("", UNREADABLE, "", "", "", "")) for each in unreadable]
    below = [line for each in found for line in _below(each)]
    below += [Text(f"{each.reason}; another version of tuner may read it", "red") for each in unreadable]
    shown, held = rows, [each for each in rows if each.holder is not None]
    if lines is not None:
        room = lines - FRAME - len(below)
        held = held[: max(0, max(room - len(rows), int(room * WORKERS_SHARE)) - FRAME)]
        shown = _most_telling(rows, room=max(1, room - len(held) - (FRAME if held else 0)))
    if hidden := len(rows) - len(shown):
        below.insert(0, Text(f"and {hidden} more", "dim"))
    workers = (Text(), _workers_table(held, with_names=len(found) > 1)) if held else ()
    studies = _studies_table(shown)
    meanings = [Text(LEGEND[name], "dim") for each in studies.columns if (name := str(each.header)) in LEGEND]
    return Group(studies, *workers, *below, *(meanings if lines is None else ()))


def _studies_table(rows: Sequence[Row]) -> Table:
    """How far each is; the name of an experiment once."""
    cells = []
    for above, row in zip([None, *rows], rows, strict=False):
        name = "" if above is not None and above.experiment == row.experiment else row.experiment
        cells.append([Text(name, "bold"), *map(Text, row.cells)])
        cells[-1][COLUMNS.index("state")].stylize(STYLES[row.state])
    return _table(COLUMNS, cells)


def _workers_table(rows: Sequence[Row], *, with_names: bool) -> Table:
    """Who searches what, where and since when; the experiment if there are several."""
    cells = [
        (holder.worker, holder.device, _since(holder), each.cells[0], each.experiment if with_names else "")
        for each in rows
        if (holder := each.holder) is not None
    ]
    return _table(WORKER_COLUMNS, [list(map(Text, each)) for each in cells])


def _table(columns: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    """A table as narrow as can be, without the columns that would be empty."""
    filled = [index for index in range(len(columns)) if index == 0 or any(row[index] for row in rows)]
    table = new_table([columns[index] for index in filled], [[row[index] for index in filled] for row in rows])
    table.box, table.padding = None, (0, 2, 0, 0)
    table.header_style = "dim"
    for column in table.columns:
        column.overflow = "ellipsis"
        column.no_wrap = str(column.header) != SHORTENED
        column.min_width = None if column.no_wrap else LEAST_WIDTH
    for row in rows:
        for cell in row:
            cell.no_wrap = True
    return table


def study_status(found: ExperimentProgress, study: StudyProgress) -> StudyStatus:
    """The status of a study, as a display would have it that had watched the study from its beginning."""
    second_look = study.stage is Stage.SECOND_LOOK
    status = begun(found.experiment, study.batch_size, round=study.round, second_look=second_look)
    status.done, status.searched, status.best = study.done, study.searched, study.best
    status.planned += study.probed
    if study.complete:  # a worker that has it all the same trains extra trials
        status.state, status.planned = StudyState.DONE if study.holder is None else StudyState.TRAINING, study.done
    elif study.holder is not None:
        status.state = StudyState.CONFIRMING if study.confirmed else StudyState.SEARCHING
    elif study.error or found.state is not ExperimentState.OPEN:
        status.state = StudyState.STOPPED
    return status


def study_state(found: ExperimentProgress, study: StudyProgress, status: StudyStatus) -> str:
    """What happens to a study that stands so, in a word or two."""
    if study.complete or status.is_active:
        return str(status.state)
    if study.error:
        return "set aside"
    if found.state is not ExperimentState.OPEN:
        return str(found.state)
    begun_and_left = study.stage is Stage.SEARCH and any((study.done, study.failed, study.interrupted, study.running))
    return "stopped" if begun_and_left else "waiting"


def seconds_left(found: ExperimentProgress) -> float | None:
    """How long an experiment will take, at the pace of each study since its worker claimed it; None if none has one."""
    paces = {}
    for each in found.studies:
        if each.holder is not None and each.latest is not None and not each.complete:
            measured = pace(each.recent, (each.latest - each.holder.since).total_seconds())
            if measured is not None:
                paces[each.batch_size] = measured
    return time_left([study_status(found, each) for each in found.studies], paces)


def _rows(found: ExperimentProgress, *, alone: bool) -> Iterator[Row]:
    """The rows of an experiment."""
    name = found.experiment.name
    if found.is_complete and not alone:
        first, last = found.studies[0].batch_size, found.studies[-1].batch_size
        sizes = f"{first} - {last}" if last > first else str(first)
        failed = sum(each.failed for each in found.studies)
        trials = sum(each.done for each in found.studies)
        yield Row(name, "done", (sizes, "done", f"{trials}/{trials}", str(failed or ""), "", ""))
        return
    unit = found.experiment.goal.unit
    for study in found.studies:
        status = study_status(found, study)
        state = study_state(found, study, status)
        cells = (
            str(study.batch_size),
            f"{state}, round {study.round}" if study.round > 1 else state,
            f"{status.done}/{status.planned}",
            str(study.failed or ""),
            "" if study.best is None else unit.text(study.best),
            unit.text(median(study.reported)) if study.reported else "",
        )
        yield Row(name, state, cells, study.holder)


def _most_telling(rows: Sequence[Row], *, room: int) -> list[Row]:
    """As many rows as there is room for, in their order: what happens now before what is to come and what is past."""
    urgency = {**dict.fromkeys(URGENT, 0), **dict.fromkeys(PAST, 2)}
    kept = sorted(range(len(rows)), key=lambda index: urgency.get(rows[index].state, 1))[:room]
    return [rows[index] for index in sorted(kept)]


def _below(found: ExperimentProgress) -> Iterable[Text]:
    """What is said of an experiment below the table: how long it will take, and what was set aside."""
    name = found.experiment.name
    if any(each.holder is not None and not each.complete for each in found.studies):
        left = remaining(seconds_left(found))
        yield Text(f"{name}: {left}, at the pace since each study was claimed", "dim")
    for each in found.studies:
        if each.error:
            advice = "" if found.state is ExperimentState.CANCELLED else f"; tuner resume {name} opens it again"
            yield Text(f"{name}, batch size {each.batch_size} was set aside: {each.error}{advice}", "red")
        if each.damaged:
            many = "1 trial that cannot be read is" if each.damaged == 1 else f"{each.damaged} unreadable trials are"
            told = f"tuner results {name} names what is damaged"
            yield Text(f"{name}, batch size {each.batch_size}: {many} not counted; {told}", "red")


def _since(holder: Holder) -> str:
    """The time of a claim; of one that is older than today, the day."""
    since = holder.since.astimezone()
    return f"{since:%H:%M}" if since.date() == datetime.now(UTC).astimezone().date() else f"{since:%Y-%m-%d}"

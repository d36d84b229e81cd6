"""What to train with, for a terminal and as JSON."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.analysis.practice.summary import Practice
from tuner.cli.printing import legend, new_table
from tuner.records import ExperimentRecord, Timing
from tuner.reports.sections.practice import notes
from tuner.reports.sections.practice_table import in_time, practice_table


def measured(timing: Timing) -> str:
    """A measurement, in a line."""
    with_measuring = ", measuring included" if timing.has_measuring else ""
    spread = f"{in_time(timing.low)} to {in_time(timing.high)} in {len(timing.seconds)} repetitions"
    step = f"a step takes {in_time(timing.median)} ({spread}{with_measuring})"
    return f"batch size {timing.batch_size:,}: {step} on {timing.device}"


def practice_tables(record: ExperimentRecord, found: Practice | None) -> RenderableType:
    """A table for each device that was timed, and the advice."""
    parts: list[RenderableType] = [Text.assemble((record.experiment.name, "bold"), ": what to train with")]
    if found is None:
        why = (
            "no batch size has reached a target yet" if record.experiment.goal.unit.counts_steps else _no_target(record)
        )
        return Group(*parts, *(Text(measured(each)) for each in record.timings), Text(f"no advice: {why}"))
    for each in found.choices:
        table = practice_table(each, price=found.price)
        parts += [Text(f"on {each.device}"), new_table(table.heads, table.rows)]
    return Group(*parts, Text(f"{found.advice}\n"), legend(*notes(found)))


def practice_json(record: ExperimentRecord, found: Practice | None) -> Mapping[str, object]:
    """What `tuner time --json` prints."""
    timings = [
        {
            "batch_size": each.batch_size,
            "device": each.device,
            "seconds": list(each.seconds),
            "has_measuring": each.has_measuring,
            "time": each.time.isoformat(),
        }
        for each in record.timings
    ]
    practice = None if found is None else found.to_json()
    return {"experiment": record.experiment.name, "timings": timings, "practice": practice}


def _no_target(record: ExperimentRecord) -> str:
    return f"the goal is the {record.experiment.goal.phrase}, and not a target"

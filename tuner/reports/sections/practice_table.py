"""What each batch size takes to the target, as a table."""

import math

from tuner.analysis.optimum.intervals import PERCENT
from tuner.analysis.practice.choice import Choice
from tuner.analysis.practice.effort import Amount, Way
from tuner.reports.rows import NOTHING, Table

UNITS = (
    *((172_800.0, 86_400.0, "days"), (7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (1.0, 1.0, "s")),
    *((1e-3, 1e-3, "ms"), (1e-6, 1e-6, "µs")),
)
"""Units of time, each with the seconds from which on it is used; the last is used for all that is shorter."""


def practice_table(choice: Choice, *, price: float | None = None) -> Table:
    """Time, examples and, with a price of the device an hour, the cost to target; a row for each batch size."""
    is_timed = bool(choice.device)
    heads = (
        "batch size",
        "steps to target",
        *(("time of a step", "time to target", f"{PERCENT} interval") if is_timed else ()),
        *(("cost to target",) if is_timed and price is not None else ()),
        *("examples to target", f"{PERCENT} interval", "worth it"),
    )
    return Table(heads, tuple(_row(choice, each, price) for each in choice.ways))


def _row(choice: Choice, way: Way, price: float | None) -> tuple[str, ...]:
    cells = [f"{way.batch_size:,}", f"{way.steps.value:,.0f}"]
    if way.seconds is not None and way.timing is not None:
        cells += [in_time(way.timing.median), in_time(way.seconds.value), _interval(way.seconds, of_time=True)]
        if price is not None:
            cells.append(f"{way.seconds.value / 3600 * price:.3g}")
    worth = "advised" if way.batch_size == choice.advised else "yes" if way.batch_size in choice.worth else "-"
    return (*cells, _count(way.examples.value), _interval(way.examples), worth)


def _interval(amount: Amount, *, of_time: bool = False) -> str:
    if not amount.has_interval:
        return NOTHING
    text = in_time if of_time else _count
    return f"{text(amount.low)} to {text(amount.high)}"


def _count(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:,.0f}"


def in_time(seconds: float) -> str:
    """A time in its unit, in three digits.

    >>> in_time(0.000123), in_time(0.25), in_time(90), in_time(7_300), in_time(200_000)
    ('123 µs', '250 ms', '90 s', '2.03 h', '2.31 days')
    """
    if math.isinf(seconds):
        return "never"
    _, unit, name = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    return f"{seconds / unit:.3g} {name}"

"""The section on other targets and other metrics than the experiment's own."""

from tuner.analysis.curves.choices import MATERIAL, Choice, Choices, choices
from tuner.analysis.optimum.intervals import LEAST_SEEDS, PERCENT
from tuner.analysis.scaling.bounds import Bound
from tuner.reports.figures.drawing import Drawing
from tuner.reports.figures.families import draw_choices
from tuner.reports.findings import Findings
from tuner.reports.rows import NOTHING, Table
from tuner.reports.sections.contract import Section
from tuner.reports.style import plain

TELLING = 2.0
"""Intervals that allow larger moves than this factor do not tell that there are none."""
LUCK = (
    "The fastest of many trials is lucky, so its steps are a little too few, and they are compared with the goal's own "
    "search trials, which are as lucky. How far a single seed may be off is taken from the trials that report the "
    "winners."
)


def metrics_section(found: Findings) -> Section | None:
    """Whether the conclusion hangs on target and metric; None where there are no curves, or the goal is no target."""
    answer = choices(found.record, found.curves)
    if answer is None:
        return None
    drawing = Drawing(
        name="metrics",
        figure=draw_choices(answer),
        alternative="Steps to several targets and metrics against batch size, and the critical batch size of each",
        caption="Left: steps to each target and metric: medians of the trials that report the winners, and dashed the "
        "best search trials; markers are hollow where some are estimates. Right: the critical batch size of each, with "
        f"intervals over seeds if these are {LEAST_SEEDS} or more. A black ring marks one that certainly differs from "
        "the goal's.",
    )
    return Section(
        name="metrics",
        question="Does the answer depend on the target and the metric?",
        answer=_answer(answer),
        drawings=(drawing,),
        tables=(_table(answer),),
        notes=tuple(_notes(answer)),
        values=answer.to_json(),
    )


def _answer(found: Choices) -> str:
    """Which choices move the critical batch size, and how far."""
    compared = [each for each in found.others if each.move is not None]
    if not compared:
        return (
            f"That cannot be said: the critical batch size for {found.own.phrase} and those of the other choices lie "
            "beyond what was measured, or have no fit."
        )
    moved = found.moved
    if not moved:
        reach = max(_reach(each.move) for each in compared)
        if found.is_exact:
            return (
                f"No: {len(compared)} other targets and metrics move the critical batch size by a factor of "
                f"{reach:.2g} at most ({found.why_no_interval})."
            )
        if found.why_no_interval:
            return (
                f"That cannot be said: {found.why_no_interval}. By the medians, {len(compared)} other targets and "
                f"metrics move the critical batch size by a factor of {reach:.2g} at most."
            )
        if reach > TELLING:
            return (
                f"The seeds do not tell: none of {len(compared)} other targets and metrics is certain to move the "
                f"critical batch size, but the intervals allow a factor of {reach:,.2g}. More seeds would tell."
            )
        return (
            f"No: none of {len(compared)} other targets and metrics is certain to move the critical batch size by more "
            f"than a factor of {MATERIAL:g}, and the intervals allow {reach:.2g} at most."
        )
    named = "; ".join(f"{each.phrase} by the factor {_factor(each.move)}" for each in moved)
    return (
        f"Warning: yes. Compared with {found.own.phrase}, the critical batch size moves"
        f"{' beyond the intervals' * (not found.is_exact)} for {len(moved)} of {len(compared)} other choices: {named}."
    )


def _reach(move: Bound | None) -> float:
    """The largest factor up or down that an interval holds."""
    if move is None:
        return 1.0
    ends = [each for each in (move.value, move.low, move.high) if each]
    return max(max(each, 1 / each) for each in ends)


def _factor(move: Bound | None) -> str:
    """A move with its interval."""
    if move is None:
        return NOTHING
    if move.low is None or move.high is None or move.low == move.high:
        return f"{move.value:.2g}"
    return f"{move.value:.2g} ({move.low:.2g} to {move.high:.2g})"


def _table(found: Choices) -> Table:
    """Each choice's critical batch size and move."""
    heads = ("metric and target", "trials", "critical batch size", "interval", "moved by the factor", "estimates")
    return Table(heads, tuple(_row(each, found) for each in found.every))


def _row(choice: Choice, found: Choices) -> tuple[str, ...]:
    critical = choice.critical
    beyond = f"beyond {choice.curve.points[-1].batch_size:,}"
    if critical is None:
        value = interval = NOTHING
    else:
        value = beyond if choice.is_extrapolated else f"{critical.value:,.0f}"
        ends = [each for each in (critical.low, critical.high) if each is not None]
        interval = " to ".join(map(plain, ends)) or NOTHING
    move = "1" if choice in (found.own, found.own_tuned) else _factor(choice.move)
    whose = "best of the search" if choice.is_tuned else "report the winners"
    return choice.phrase, whose, value, interval, move, f"{choice.estimated} of {choice.trials}"


def _notes(found: Choices) -> list[str]:
    """How it was computed."""
    notes = [
        "Weaker targets are tuned for again: at each batch size the search trial counts that passes the target first. "
        "Trials end at the goal, so no harder target can be asked about.",
        *([] if found.is_exact else [LUCK]),
        "Other metrics are read from the trials that report the winners, which were chosen for the goal; each is asked "
        "for the hardest target that all of these trials passed before they ended.",
        "A move is the critical batch size of a choice over that of the goal by trials of the same kind. "
        + (
            f"Moves have no intervals: {found.why_no_interval}."
            if found.why_no_interval
            else f"All their intervals together hold with {PERCENT} confidence over training seeds; they do not cover "
            "how well the search found each optimum. A move counts if its interval excludes 1 and it is larger than a "
            f"factor of {MATERIAL:g}."
        ),
    ]
    if any(each.estimated for each in found.every):
        notes.append(
            "Estimates come from a part of the validation set, where a measurement ended early (a target in "
            "goal.also_below or goal.also_above is exact); from the losses of minibatches, as means over at least 256 "
            "examples, for train/loss; and from between two measurements of a metric that is measured at few steps "
            '(with measuring.test_steps = "always", test metrics are measured at all).'
        )
    return notes

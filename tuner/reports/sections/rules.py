"""What a rule of thumb for the learning rate costs, had only one batch size been tuned."""

from tuner.analysis.optimum.intervals import LEAST_SEEDS, PERCENT
from tuner.analysis.rules.costs import RuleCost, RuleCosts, interval
from tuner.analysis.rules.starts import measured_costs
from tuner.reports.figures.drawing import Drawing
from tuner.reports.figures.rules import draw_rules
from tuner.reports.findings import Findings
from tuner.reports.rows import Table
from tuner.reports.sections.contract import Section


def rules_section(found: Findings) -> Section | None:
    """The section; None before `tuner rules` has run."""
    measured = measured_costs(found.record)
    if not measured:
        return None
    return Section(
        name="rules",
        question="What does a rule of thumb cost?",
        answer=" ".join(each.summary for each in measured),
        drawings=tuple(_drawing(each, is_first=index == 0) for index, each in enumerate(measured)),
        tables=tuple(rules_table(each) for each in measured),
        notes=tuple(_notes(measured)),
        values={"starts": [each.to_json() for each in measured]},
    )


def rules_table(found: RuleCosts) -> Table:
    """A row for each batch size, with a column for each rule."""
    by_rule = [costs for _, costs in found.costs]
    heads = ("batch size", *(rule.name for rule, _ in found.costs))
    rows = [(f"{each[0].batch_size:,}", *map(cell, each)) for each in zip(*by_rule, strict=True)]
    return Table(heads, tuple(rows))


def cell(cost: RuleCost) -> str:
    """What a rule came to: its ratio with the interval, or how many seeds failed how."""
    if cost.ratio is None:
        return "not run"
    lost = ", ".join(f"{many} of {len(cost.per_seed)} {how}" for how, many in cost.failures)
    if cost.fails:
        return lost
    ratio = f"{cost.ratio:.2f}" if cost.ratio < 10 else f"{cost.ratio:,.0f}"
    few = f"{len(cost.per_seed)} of {cost.wanted} seeds" if len(cost.per_seed) < cost.wanted else ""
    extra = "; ".join(each for each in (lost, few) if each)
    return f"{ratio}{interval(cost)}" + f"; {extra}" * bool(extra)


def _drawing(found: RuleCosts, *, is_first: bool) -> Drawing:
    return Drawing(
        name="rules" if is_first else f"rules_from_{found.base}",
        figure=draw_rules(found),
        alternative=f"{found.unit.ratio} of each rule of thumb over the tuned, against batch size, both logarithmic",
        caption=f"What each rule costs when only batch size {found.base:,} is tuned: the median over fresh seeds, over "
        f"that of the tuned optimum ({found.unit.ratio}), with {PERCENT} intervals over the seeds of both if these are "
        f"{LEAST_SEEDS} or more. A cross: with this rule, half of the seeds or more have no score.",
    )


def _notes(measured: tuple[RuleCosts, ...]) -> list[str]:
    """What each rule came to, how it was computed, and what it does not say."""
    found = measured[0]
    notes = [
        *(sentence for each in measured for sentence in each.sentences),
        f"A rule changes the learning rate with the batch size, from the optimum of batch size {found.base:,}; all "
        "other hyperparameters stay as they were tuned there. A rule on lr / (1 - m) takes the momentum m that was "
        "tuned at the other batch size, and sets the learning rate by it.",
        "Each point was trained on as many fresh seeds as the tuned optimum was reported with. A ratio is of two "
        f"medians of {found.unit.ratio}; its interval, if it has one, holds the chance of seeds, not that of "
        "the search that found the optima.",
    ]
    if not all(each.is_complete for each in measured):
        notes.append(f"Some of its trials have not run; `tuner rules {found.experiment.name}` goes on.")
    if found.left_out:
        notes.append(f"Without a confirmed optimum: batch size {', '.join(f'{each:,}' for each in found.left_out)}.")
    return notes

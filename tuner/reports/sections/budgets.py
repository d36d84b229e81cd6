"""The section on what fixed budgets would have found."""

from collections.abc import Sequence

from tuner.analysis.curves.budgets import BudgetLine, BudgetPoint, FixedBudgets, Kind, fixed_budgets
from tuner.analysis.optimum.intervals import LEAST_SEEDS
from tuner.reports.figures.drawing import Drawing
from tuner.reports.figures.families import budget_phrase, draw_budgets
from tuner.reports.findings import Findings
from tuner.reports.rows import NOTHING, Table
from tuner.reports.sections.contract import Section

WHY = (
    "The two questions are different. A fixed number of steps is the budget of somebody whose hardware takes a large "
    "step as fast as a small one: a larger batch is then never worse, as every step rests on more examples. A fixed "
    "number of examples, that is of epochs, is the budget of somebody who pays for each example: a smaller batch then "
    "takes more steps (Shallue et al. 2019 found large batches to win the first comparison and small ones the second)."
)
BIAS = (
    "The best of many noisy search trials was lucky, so the dashed lines are better than they would be on fresh seeds. "
    "The reporting seeds are free of that, but their points were chosen for the experiment's own goal, so the markers "
    "are worse than what is tuned for each budget. The truth lies between. A budget counts for large or small batches "
    "only if both say so of the largest and the smallest batch size, and the intervals over seeds do not meet; that "
    f"needs {LEAST_SEEDS} seeds, unless every seed measures the same. Batch sizes without a step within a budget, or "
    "without a trial that was trained for so long, are left out."
)
EXACT_BIAS = (
    "Dashed lines are tuned for each budget, as well as the search has looked. The markers' points were chosen for the "
    "experiment's own goal, so they are no better. A budget counts for large or small batches only if both say so of "
    "the largest and the smallest batch size. Batch sizes without a step within a budget, or without a trial that was "
    "trained for so long, are left out."
)


def budgets_section(found: Findings) -> Section | None:
    """The best values within budgets in steps and in examples; None without curves."""
    answer = fixed_budgets(found.record, found.curves)
    if answer is None or not answer.lines:
        return None
    counted = found.experiment.goal.unit.counts_steps
    end = " Trials end at the target, the dotted line: better values were not measured." if counted else ""
    drawing = Drawing(
        name="budgets",
        figure=draw_budgets(answer),
        alternative=f"Best {answer.metric} against batch size at several budgets in steps and in examples",
        caption=f"The best {answer.metric} within fixed budgets. Dashed: the best search trial. Markers: the median of "
        f"the seeds that report the winner, with intervals if they are {LEAST_SEEDS} or more.{end}",
    )
    partly = "Some values are estimates from a part of the validation set, the same part at every batch size."
    return Section(
        name="budgets",
        question="What if the number of steps, or of epochs, were fixed?",
        answer=" ".join(_sentence(kind, answer.of(kind)) for kind in Kind if answer.of(kind)),
        drawings=(drawing,),
        tables=(_table(answer),),
        notes=(WHY, EXACT_BIAS if found.curve.is_exact else BIAS, *([partly] if answer.estimated else [])),
        values=answer.to_json(),
    )


def _sentence(kind: Kind, lines: Sequence[BudgetLine]) -> str:
    """Which batch sizes are better at a fixed number of steps or examples."""
    larger, smaller = (sum(each.verdict == verdict for each in lines) for verdict in (1, -1))
    where, many = f"At a fixed number of {kind}, ", f"of {len(lines)} budget{'s' * (len(lines) != 1)}"
    large, small = "the largest batch size is better than the smallest", "the smallest is better than the largest"
    if larger and smaller:
        return f"{where}it depends: {large} at {larger} {many}, and worse at {smaller}."
    if larger:
        return f"{where}large batches win: {large} at {larger} {many}{_rest(larger, lines)}."
    if smaller:
        return f"{where}small batches win: {small} at {smaller} {many}{_rest(smaller, lines)}."
    return f"{where}neither large nor small batches are certainly better at any {many}."


def _rest(many: int, lines: Sequence[BudgetLine]) -> str:
    """What of the other budgets."""
    return ", and nothing is certain at the others" if many < len(lines) else ""


def _table(found: FixedBudgets) -> Table:
    """The best batch size within each budget, by both answers."""
    heads = ("budget", "best batch size of the search", found.metric, "best batch size of the reports", found.metric)
    rows = []
    for line in found.lines:
        searched = [(each.searched, each) for each in line.points if each.searched is not None]
        reported = [(each.reported.value, each) for each in line.points if each.reported is not None]
        rows.append((budget_phrase(line, found), *_best(searched, found), *_best(reported, found)))
    return Table(heads, tuple(rows))


def _best(scores: Sequence[tuple[float, BudgetPoint]], found: FixedBudgets) -> tuple[str, str]:
    """The batch size with the best score, or all that reached the target, and the value."""
    if not scores:
        return NOTHING, NOTHING
    best = min(score for score, _ in scores)
    sizes, known = (
        [each.batch_size for _, each in shown] for shown in ([one for one in scores if one[0] == best], scores)
    )
    first = known.index(sizes[0])
    is_run = len(sizes) > 2 and sizes == known[first : first + len(sizes)]
    named = f"{sizes[0]:,} to {sizes[-1]:,}" if is_run else ", ".join(f"{each:,}" for each in sizes)
    return named, "target reached" if best <= found.best else f"{found.value(best):.4g}"

"""What `tuner rules` prints."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.analysis.rules.costs import RuleCosts
from tuner.cli.printing import legend, new_table
from tuner.cli.tables import broken_lines
from tuner.errors import ReportError
from tuner.reports.sections.rules import cell

if TYPE_CHECKING:
    from tuner.service.runs import RunOutcome


def rules_table(found: RuleCosts) -> RenderableType:
    """What each rule costs at each batch size, and in a sentence each."""
    unit, name = found.unit, found.experiment.name
    columns = ("batch size", "tuned", *(rule.name for rule, _ in found.costs))
    by_size = zip(*(costs for _, costs in found.costs), strict=True)
    rows = [(f"{each[0].batch_size}", unit.text(each[0].tuned), *map(cell, each)) for each in by_size]
    parts: list[RenderableType] = [
        Text.assemble((name, "bold"), f": what a rule costs that starts from the optimum of batch size {found.base}"),
        new_table(columns, rows),
        legend(
            f"tuned: {unit.column} of the confirmed optimum, a median over seeds",
            f"rules: how many times the tuned {unit.ratio} the rule comes to, with its 95 %",
            "       interval over the seeds of both; 1.00 is as good as tuned",
        ),
        *map(Text, found.sentences),
    ]
    if found.left_out:
        parts.append(Text(f"without a confirmed optimum: batch size {', '.join(map(str, found.left_out))}"))
    return Group(*parts)


def run_lines(outcome: "RunOutcome") -> RenderableType:
    """What to do after extra trials, and what went wrong in them."""
    lines = list(broken_lines(outcome.broken))
    if outcome.not_logged:
        lines.append(Text(f"the report is not in MLflow: {outcome.not_logged}", "yellow"))
    if outcome.interrupted:
        lines.append(Text("stopped before the end; the same command goes on from here", "bold"))
    elif not outcome.is_done:
        lines.append(Text("not everything could be trained; the same command goes on", "bold"))
    if isinstance(outcome.report, ReportError):
        lines.append(Text(str(outcome.report), "yellow"))
    else:
        lines.append(Text.assemble("report: ", (str(outcome.report), "bold")))
    return Group(*lines)

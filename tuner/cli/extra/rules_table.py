"""What `tuner rules` prints."""

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.analysis.rules.costs import RuleCosts
from tuner.cli.printing import legend, new_table
from tuner.reports.sections.rules import cell


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

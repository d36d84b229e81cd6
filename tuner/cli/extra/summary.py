"""What is printed below the answer after extra trials have been trained."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.cli.tables import broken_lines
from tuner.errors import ReportError
from tuner.records import TrialRecord

if TYPE_CHECKING:
    from tuner.service.runs import RunOutcome


def training_summary(outcome: "RunOutcome", errors: Sequence[TrialRecord]) -> RenderableType:
    """What went wrong, and what to do.

    Args:
        outcome: The run's.
        errors: The wanted trials that an error has ended.
    """
    lines = list(broken_lines(outcome.broken))
    for reason, many in Counter(each.reason for each in errors).most_common():
        trials = "1 trial" if many == 1 else f"{many} trials"
        lines.append(Text(f"{trials} ended with an error: {reason}; the same command tries again", "yellow"))
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

"""What `tuner doctor` found, as a table."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from tuner.cli.printing import new_table
from tuner.service.doctor import Finding, Health

STYLES = {Health.OK: "green", Health.WARNING: "yellow", Health.BROKEN: "bold red"}


def findings_table(findings: Sequence[Finding]) -> RenderableType:
    """A row for each finding."""
    rows = [
        (each.subject, Text(each.health, STYLES[each.health]), Text(each.found), Text(each.advice)) for each in findings
    ]
    return new_table(("", "state", "found", "what to do"), rows)

"""The order of the questions that have a section each."""

from collections.abc import Callable

from tuner.reports.findings import Findings
from tuner.reports.sections.budgets import budgets_section
from tuner.reports.sections.contract import Section
from tuner.reports.sections.diagnoses import diagnoses_section
from tuner.reports.sections.generalisation import generalises
from tuner.reports.sections.metrics import metrics_section
from tuner.reports.sections.practice import what_to_train_with
from tuner.reports.sections.regions import regions_section
from tuner.reports.sections.rules import rules_section

ORDER: tuple[Callable[[Findings], Section | None], ...] = (
    regions_section,
    metrics_section,
    budgets_section,
    rules_section,
    what_to_train_with,
    generalises,
    diagnoses_section,
)
"""What makes each section, in the order of the page; None where an experiment has no data for it."""

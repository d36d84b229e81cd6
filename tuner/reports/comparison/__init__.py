"""The page that compares experiments, its figures, and what it says."""

from tuner.reports.comparison.page import write_comparison
from tuner.reports.comparison.sections import comparison_sections
from tuner.reports.comparison.stored import StoredComparison, compared_in, stored_comparison
from tuner.reports.comparison.wording import budgets, cautions, headline

__all__ = [
    "StoredComparison",
    "budgets",
    "cautions",
    "compared_in",
    "comparison_sections",
    "headline",
    "stored_comparison",
    "write_comparison",
]

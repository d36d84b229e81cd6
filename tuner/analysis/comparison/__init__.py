"""Several experiments side by side: what differs between them, and which differences are beyond the intervals."""

from tuner.analysis.comparison.comparison import MOST, Comparison, compare
from tuner.analysis.comparison.contrasts import Contrast, Quantity, Verdict
from tuner.analysis.comparison.redrawing import Compared, Interval
from tuner.analysis.comparison.settings import Setting

__all__ = [
    "MOST",
    "Compared",
    "Comparison",
    "Contrast",
    "Interval",
    "Quantity",
    "Setting",
    "Verdict",
    "compare",
]

"""All sections of a report, in the order of the page."""

from collections.abc import Iterator

from tuner.reports.findings import Findings
from tuner.reports.overview.cautions import careful
from tuner.reports.overview.optima import movement, optima
from tuner.reports.overview.scaling import scaling
from tuner.reports.overview.searches import searches
from tuner.reports.overview.space import edges, rounds, tuning
from tuner.reports.sections.contract import Section
from tuner.reports.sections.order import ORDER

BEFORE = (scaling, optima, movement, *ORDER)
AFTER = (tuning, edges, rounds, searches, careful)
"""What comes before and after what is computed slowest, the sensitivity (`tuning`)."""


def sections(found: Findings) -> Iterator[Section]:
    """The sections that an experiment has data for."""
    for part in parts(found):
        yield from part


def parts(found: Findings) -> Iterator[Iterator[Section]]:
    """The sections, in parts: the first can be drawn while the sensitivity is still computed aside."""
    for part in (BEFORE, AFTER):
        yield (section for make in part if (section := make(found)) is not None)

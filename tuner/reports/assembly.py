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

FIRST = (scaling, optima, movement)
LAST = (tuning, edges, rounds, searches, careful)
"""What comes before the questions that have a section each, and after them."""


def sections(found: Findings) -> Iterator[Section]:
    """The sections that an experiment has data for."""
    for make in (*FIRST, *ORDER, *LAST):
        section = make(found)
        if section is not None:
            yield section
